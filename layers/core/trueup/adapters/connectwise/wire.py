"""What ConnectWise sends, field by field, and how it becomes Trueup's own words.

Small hand-written models: only the fields that are used, unknown ones ignored. A record that lacks a required field or
carries another type raises SchemaUnknown with the field's name and never its value. Nothing here makes a call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from trueup.domain.billing import (
    Agreement,
    AgreementId,
    AgreementState,
    Line,
    LineId,
    Product,
    ProductId,
    PsaAccount,
    PsaAccountId,
)
from trueup.domain.errors import SchemaUnknown

INTEGRATION: Final = "connectwise"

TEXT_CHARACTERS_MAXIMUM: Final = 2_000
"""ConnectWise's own longest field in use here is 156 characters; what is longer than this is cut."""

NUMBER_MAXIMUM: Final = Decimal(10) ** 12
"""No quantity and no price is this large: a larger number is a fault of the sender."""

COMPANY_FIELDS: Final = "id,identifier,name,status,deletedFlag,_info"
AGREEMENT_FIELDS: Final = (
    "id,name,type,company,startDate,endDate,noEndingDateFlag,cancelledFlag,dateCancelled,"
    "prorateFlag,nextInvoiceDate,currency,agreementStatus,_info"
)
ADDITION_FIELDS: Final = (
    "id,product,quantity,lessIncluded,unitPrice,unitCost,billCustomer,effectiveDate,cancelledDate,"
    "description,agreementId,_info"
)
CATALOG_FIELDS: Final = "id,identifier,description,price,cost,inactiveFlag,_info"
"""What every list is asked for. ``_info`` holds the time of the last edit and is sent only when it is named."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,7})?(Z|[+-]\d{2}:\d{2})")


def _text(value: object) -> str:
    """Text as sent, except NUL and lone surrogates, which no store or terminal can carry, and what is over-long."""
    if not isinstance(value, str):
        raise ValueError("not a text")
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)[:TEXT_CHARACTERS_MAXIMUM]


def _number(value: object) -> Decimal:
    """A JSON number. Replies are parsed with Decimal for fractions, so a float never arises."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("not a number")
    number = Decimal(value)
    if not number.is_finite() or abs(number) > NUMBER_MAXIMUM:
        raise ValueError("not a number of a sensible size")
    return number


def _optional_number(value: object) -> Decimal | None:
    return None if value is None else _number(value)


def _optional_text(value: object) -> str:
    return "" if value is None else _text(value)


def _day(value: object) -> date | None:
    """The calendar day as ConnectWise writes it.

    It documents ``YYYY-MM-DDTHH:MM:SSZ`` and keeps days at midnight, so the day is taken as written and not moved to
    another time zone. A moment without a zone is refused.
    """
    if value is None:
        return None
    if isinstance(value, str) and (_ISO_DAY.fullmatch(value) or _ISO_MOMENT.fullmatch(value)):
        return date.fromisoformat(value[:10])
    raise ValueError("not a date with a time zone")


def _informational_day(value: object) -> date | None:
    """``nextInvoiceDate`` is typed as plain text with no format in the published description, and is only shown.

    Text that is not a day therefore counts as not said, instead of failing the read of everything else.
    """
    if isinstance(value, str) and _ISO_DAY.match(value):
        try:
            return date.fromisoformat(value[:10])
        except ValueError:
            return None
    return None


Text = Annotated[str, BeforeValidator(_text)]
OptionalText = Annotated[str, BeforeValidator(_optional_text)]
Number = Annotated[Decimal, BeforeValidator(_number)]
OptionalNumber = Annotated[Decimal | None, BeforeValidator(_optional_number)]
Day = Annotated[date | None, BeforeValidator(_day)]
InformationalDay = Annotated[date | None, BeforeValidator(_informational_day)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Info(_Wire):
    lastUpdated: OptionalText = ""


class _NamedReference(_Wire):
    id: StrictInt | None = None
    name: OptionalText = ""


class _CompanyReference(_Wire):
    id: StrictInt


class _ProductReference(_Wire):
    id: StrictInt
    identifier: Text
    serializedFlag: StrictBool | None = None


class _CurrencyReference(_Wire):
    currencyCode: OptionalText = ""
    name: OptionalText = ""
    symbol: OptionalText = ""


class CompanyInfoWire(_Wire):
    """The unauthenticated answer that tells where a company's API lives. Booleans come as text."""

    CompanyName: OptionalText = ""
    Codebase: OptionalText = ""
    VersionCode: OptionalText = ""
    IsCloud: OptionalText = ""


class CountWire(_Wire):
    count: StrictInt


class RecordWire(_Wire):
    """Anything that is listed: it has an id."""

    id: StrictInt


class CompanyWire(RecordWire):
    identifier: Text
    name: Text
    status: _NamedReference | None = None
    deletedFlag: StrictBool | None = None

    def account(self) -> PsaAccount:
        return PsaAccount(
            id=PsaAccountId(str(self.id)),
            identifier=self.identifier,
            name=self.name,
            status_text=self.status.name if self.status else "",
            deleted=bool(self.deletedFlag),
        )


class AgreementWire(RecordWire):
    name: Text
    type: _NamedReference | None = None
    company: _CompanyReference
    startDate: Day = None
    endDate: Day = None
    noEndingDateFlag: StrictBool | None = None
    cancelledFlag: StrictBool | None = None
    dateCancelled: Day = None
    prorateFlag: StrictBool | None = None
    nextInvoiceDate: InformationalDay = None
    currency: _CurrencyReference | None = None
    agreementStatus: OptionalText = ""

    def state(self) -> AgreementState:
        """Cancelled when either the flag or the status says so; a status not in the published list is unknown."""
        if self.cancelledFlag:
            return AgreementState.CANCELLED
        return _STATES.get(self.agreementStatus, AgreementState.UNKNOWN)

    def agreement(self) -> Agreement:
        state = self.state()
        ends = [] if self.noEndingDateFlag or self.endDate is None else [self.endDate]
        if state is AgreementState.CANCELLED and self.dateCancelled is not None:
            ends.append(self.dateCancelled)
        return Agreement(
            id=AgreementId(str(self.id)),
            account_id=PsaAccountId(str(self.company.id)),
            name=self.name,
            type_name=self.type.name if self.type else "",
            state=state,
            starts_on=self.startDate,
            ends_on=min(ends) if ends else None,
            prorates=bool(self.prorateFlag),
            next_invoice_on=self.nextInvoiceDate,
            currency=_currency_code(self.currency),
        )


class AdditionWire(RecordWire):
    product: _ProductReference
    quantity: Number
    lessIncluded: OptionalNumber = None
    unitPrice: OptionalNumber = None
    unitCost: OptionalNumber = None
    billCustomer: Literal["Billable", "DoNotBill", "NoCharge"]
    effectiveDate: Day = None
    cancelledDate: Day = None
    description: OptionalText = ""
    agreementId: StrictInt | None = None
    info: _Info | None = Field(default=None, alias="_info")

    def line(self, agreement: Agreement) -> Line:
        return Line(
            id=LineId(str(self.id)),
            agreement_id=agreement.id,
            account_id=agreement.account_id,
            product_id=ProductId(str(self.product.id)),
            product_code=self.product.identifier,
            description=self.description,
            quantity=self.quantity,
            version=self.info.lastUpdated if self.info else "",
            less_included=self.lessIncluded or Decimal(0),
            unit_price=self.unitPrice,
            unit_cost=self.unitCost,
            effective_from=self.effectiveDate,
            effective_to=self.cancelledDate,
            billable=self.billCustomer == "Billable",
            not_writable_reason=SERIALIZED_REASON if self.product.serializedFlag else None,
        )


class CatalogItemWire(RecordWire):
    identifier: Text
    description: OptionalText = ""
    price: OptionalNumber = None
    cost: OptionalNumber = None
    inactiveFlag: StrictBool | None = None

    def product(self) -> Product:
        return Product(
            id=ProductId(str(self.id)),
            code=self.identifier,
            name=self.description,
            price=self.price,
            cost=self.cost,
            inactive=bool(self.inactiveFlag),
        )


SERIALIZED_REASON: Final = "the product is serialized: its quantity follows its serial numbers"

_STATES = {
    "Active": AgreementState.ACTIVE,
    "Inactive": AgreementState.INACTIVE,
    "Cancelled": AgreementState.CANCELLED,
    "Expired": AgreementState.EXPIRED,
}

_CURRENCY_WORDS = {
    "us dollar": "USD",
    "us dollars": "USD",
    "u.s. dollars": "USD",
    "united states dollar": "USD",
    "usd": "USD",
    "euro": "EUR",
    "euros": "EUR",
    "eur": "EUR",
    "€": "EUR",
    "pound": "GBP",
    "pounds": "GBP",
    "british pound": "GBP",
    "british pounds": "GBP",
    "pound sterling": "GBP",
    "pounds sterling": "GBP",
    "gbp": "GBP",
    "£": "GBP",
    "australian dollar": "AUD",
    "australian dollars": "AUD",
    "aud": "AUD",
    "new zealand dollar": "NZD",
    "new zealand dollars": "NZD",
    "nzd": "NZD",
    "canadian dollar": "CAD",
    "canadian dollars": "CAD",
    "cad": "CAD",
    "south african rand": "ZAR",
    "rand": "ZAR",
    "zar": "ZAR",
    "swiss franc": "CHF",
    "swiss francs": "CHF",
    "chf": "CHF",
}
"""Names as MSPs write them. A bare dollar or yen sign is not here: more than one currency uses it."""


def _currency_code(currency: _CurrencyReference | None) -> str | None:
    """The ISO code where ConnectWise gives one or its name says which, else its own text, else None."""
    if currency is None:
        return None
    if re.fullmatch("[A-Za-z]{3}", currency.currencyCode):
        return currency.currencyCode.upper()
    for words in (currency.name, currency.symbol):
        code = _CURRENCY_WORDS.get(words.strip().casefold())
        if code:
            return code
    return currency.name or currency.currencyCode or currency.symbol or None


def parse[Record: BaseModel](kind: type[Record], document: object, *, source: str) -> Record:
    """One record. ``source`` names the call in the message. Raises SchemaUnknown with field names and kinds only."""
    if not isinstance(document, Mapping):
        raise SchemaUnknown(
            f"ConnectWise {source}: a record is {_kind(document)} where an object is due", integration=INTEGRATION
        )
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {_problem(problem['type'], problem['msg'])}"
            for problem in error.errors(include_url=False, include_context=False, include_input=False)[:5]
        )
    raise SchemaUnknown(f"ConnectWise {source}: {problems}", integration=INTEGRATION)


def parse_list[Record: BaseModel](kind: type[Record], document: object, *, source: str) -> list[Record]:
    """A list of records, each validated; a list with one bad record is no list. Raises SchemaUnknown."""
    if not isinstance(document, list):
        raise SchemaUnknown(f"ConnectWise {source}: {_kind(document)} where a list is due", integration=INTEGRATION)
    return [parse(kind, record, source=source) for record in document]


def _problem(kind: str, message: str) -> str:
    # The messages of the checks above and of pydantic name what is due, not what came.
    return "required and not there" if kind == "missing" else message.removeprefix("Value error, ")


def _kind(document: object) -> str:
    if isinstance(document, Mapping):
        names = ", ".join(sorted(_text(str(name))[:40] for name in document)[:8])
        return f"an object with the keys [{names}]"
    return {type(None): "null", str: "a text", list: "a list", bool: "a boolean"}.get(type(document), "a number")
