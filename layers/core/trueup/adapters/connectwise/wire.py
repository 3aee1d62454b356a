"""What ConnectWise sends, field by field, and how it becomes Trueup's own words.

Small hand-written models: only the fields that are used, unknown ones ignored. A record that lacks a required field or
carries another type raises SchemaUnknown with the field's name and never its value. Nothing here makes a call.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, StrictBool, StrictInt

from trueup.adapters.wire_values import (
    InformationalDay,
    Number,
    OptionalNumber,
    OptionalText,
    Text,
    WireModel,
    parse_record,
    parse_records,
)
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

INTEGRATION: Final = "connectwise"

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

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,7})?(Z|[+-]\d{2}:\d{2})")


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


Day = Annotated[date | None, BeforeValidator(_day)]


class _Info(WireModel):
    lastUpdated: OptionalText = ""


class _NamedReference(WireModel):
    id: StrictInt | None = None
    name: OptionalText = ""


class _CompanyReference(WireModel):
    id: StrictInt


class _ProductReference(WireModel):
    id: StrictInt
    identifier: Text
    serializedFlag: StrictBool | None = None


class _CurrencyReference(WireModel):
    currencyCode: OptionalText = ""
    name: OptionalText = ""
    symbol: OptionalText = ""


class CompanyInfoWire(WireModel):
    """The unauthenticated answer that tells where a company's API lives. Booleans come as text."""

    CompanyName: OptionalText = ""
    Codebase: OptionalText = ""
    VersionCode: OptionalText = ""
    IsCloud: OptionalText = ""


class CountWire(WireModel):
    count: StrictInt


class RecordWire(WireModel):
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
    return parse_record(kind, document, vendor="ConnectWise", source=source, integration=INTEGRATION)


def parse_list[Record: BaseModel](kind: type[Record], document: object, *, source: str) -> list[Record]:
    """A list of records, each validated; a list with one bad record is no list. Raises SchemaUnknown."""
    return parse_records(kind, document, vendor="ConnectWise", source=source, integration=INTEGRATION)
