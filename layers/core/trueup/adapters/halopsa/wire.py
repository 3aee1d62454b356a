"""What HaloPSA sends, field by field, and how it becomes Trueup's own words.

Small hand-written models: only the fields that are used, unknown ones ignored. A record that lacks a required field or
carries another type raises SchemaUnknown with the field's name and never its value. Nothing here makes a call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field, StrictBool, StrictInt

from trueup.adapters.halopsa.versions import version_of
from trueup.adapters.wire_values import (
    Number,
    OptionalNumber,
    OptionalText,
    Text,
    WireModel,
    kind_of,
    parse_record,
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
from trueup.domain.errors import SchemaUnknown

INTEGRATION: Final = "halopsa"

MANUAL_QUANTITY_TYPE: Final = 0
"""The kind of quantity that a person types. The published description names no values; 0 was seen on such lines, and
other numbers on lines that HaloPSA counts itself."""

CALCULATED_REASON: Final = "HaloPSA works the quantity of this line out itself and would overwrite what is written"
PRO_RATA_REASON: Final = "the line has a pro-rata entry waiting, which HaloPSA adds to the quantity at the next invoice"
NO_ITEM_REASON: Final = "the line names no item of the catalog"
ONE_TIME_REASON: Final = "the line is a one-time charge"
NO_PRODUCT: Final = ProductId("none")
"""Stands for the product of a line that is only text; no item has this id."""

_EMPTY_YEAR_MAXIMUM: Final = 1900
"""HaloPSA has been seen to write 1899-12-30 where there is no date."""

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,7})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)


def _moment(value: object) -> datetime | None:
    """A moment as HaloPSA writes it: without a zone, which is taken as UTC (assumed; its servers are said to keep UTC).

    A date long past stands for none.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        raise ValueError("not a date")
    moment = datetime.fromisoformat(value)
    if moment.year <= _EMPTY_YEAR_MAXIMUM:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _day(value: object) -> date | None:
    """The calendar day as it is written, not moved to another zone."""
    return date.fromisoformat(str(value)[:10]) if _moment(value) is not None else None


Day = Annotated[date | None, BeforeValidator(_day)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
OptionalInteger = StrictInt | None
OptionalFlag = StrictBool | None


class RecordWire(WireModel):
    """Anything that is listed: it has an id."""

    id: StrictInt


class AuthInfoWire(WireModel):
    """Where tokens are asked for, told without a credential. ``tenant_id`` is empty on servers of one's own."""

    auth_url: OptionalText = ""
    tenant_id: OptionalText = ""


class AgentWire(RecordWire):
    """The agent that the application signs in as. ``one_client`` above zero is the only client it may see."""

    name: OptionalText = ""
    one_client: OptionalInteger = None


class ClientWire(RecordWire):
    name: Text
    inactive: OptionalFlag = None
    ref: OptionalText = ""
    connectwiseid: OptionalInteger = None
    autotaskid: OptionalInteger = None
    syncroid: OptionalInteger = None

    def account(self) -> PsaAccount:
        kept = (("connectwise", self.connectwiseid), ("autotask", self.autotaskid), ("syncro", self.syncroid))
        return PsaAccount(
            id=PsaAccountId(str(self.id)),
            identifier=self.ref,
            name=self.name,
            status_text="Inactive" if self.inactive else "Active",
            deleted=bool(self.inactive),
            # 0 and -1 were both seen to stand for none.
            stored_ids=tuple((name, str(number)) for name, number in kept if number is not None and number > 0),
        )


class ProRataWire(WireModel):
    """One entry that HaloPSA adds to the line's quantity when the next invoice is made (documented)."""

    isinvoiced: OptionalFlag = None


class LineWire(RecordWire):
    """One line of a recurring invoice. ``quantity_*`` are lists of what HaloPSA counts for a calculated line."""

    ihid: OptionalInteger = None
    item_id: OptionalInteger = Field(default=None, alias="_itemid")
    item_code: OptionalText = ""
    item_shortdescription: OptionalText = ""
    qty_order: Number
    unit_price: OptionalNumber = None
    unit_cost: OptionalNumber = None
    startdate: Day = None
    enddate: Day = None
    isinactive: OptionalFlag = None
    onetimecharge: OptionalFlag = None
    recurring_invoice_quantity_type: OptionalInteger = None
    is_calculated: OptionalFlag = Field(default=None, alias="_is_calculated_line")
    quantity_users: list[object] | None = None
    quantity_assets: list[object] | None = None
    quantity_licences: list[object] | None = None
    quantity_subscriptions: list[object] | None = None
    prorata_data: list[ProRataWire] | None = None

    def product_id(self) -> ProductId:
        return ProductId(str(self.item_id)) if self.item_id is not None and self.item_id > 0 else NO_PRODUCT

    def counts_itself(self) -> bool:
        """Whether HaloPSA works the quantity out."""
        counted = (self.quantity_users, self.quantity_assets, self.quantity_licences, self.quantity_subscriptions)
        kind = self.recurring_invoice_quantity_type
        return bool(self.is_calculated) or any(counted) or kind not in (None, MANUAL_QUANTITY_TYPE)

    def not_writable_reason(self) -> str | None:
        if self.counts_itself():
            return CALCULATED_REASON
        if any(not entry.isinvoiced for entry in self.prorata_data or ()):
            return PRO_RATA_REASON
        if self.onetimecharge:
            return ONE_TIME_REASON
        return NO_ITEM_REASON if self.product_id() == NO_PRODUCT else None

    def version(self) -> str:
        """The mark of what the line bills; see ``versions``."""
        return version_of(
            (
                self.product_id(),
                self.item_code or None,
                self.item_shortdescription or None,
                self.qty_order,
                self.unit_price,
                self.unit_cost,
                self.startdate,
                self.enddate,
                self.isinactive,
                self.onetimecharge,
                self.recurring_invoice_quantity_type,
            )
        )

    def line(self, invoice: InvoiceWire) -> Line:
        """``billable`` is false for a price of zero: that is all HaloPSA says of a line that is not billed."""
        return Line(
            id=LineId(str(self.id)),
            agreement_id=AgreementId(str(invoice.id)),
            account_id=PsaAccountId(str(invoice.client_id)),
            product_id=self.product_id(),
            product_code=self.item_code or self.item_shortdescription,
            description=self.item_shortdescription,
            quantity=self.qty_order,
            version=self.version(),
            unit_price=self.unit_price,
            unit_cost=self.unit_cost,
            effective_from=self.startdate,
            effective_to=self._ends_on(invoice),
            billable=self.unit_price != 0,
            not_writable_reason=self.not_writable_reason(),
        )

    def _ends_on(self, invoice: InvoiceWire) -> date | None:
        """The end date; an inactive line bills on no day at all."""
        if not self.isinactive:
            return self.enddate
        return self.startdate or (invoice.last_modified.date() if invoice.last_modified else date(2000, 1, 1))


class InvoiceWire(RecordWire):
    """The header of a recurring invoice. ``lines`` is None where a list did not bring them."""

    client_id: StrictInt
    reference: OptionalText = ""
    contract_ref: OptionalText = ""
    periodname: OptionalText = ""
    is_recurring_invoice: OptionalFlag = None
    disabled: OptionalFlag = None
    startdate: Day = None
    enddate: Day = None
    lastcreated: Moment = None
    nextcreationdate: Moment = None
    last_modified: Moment = None
    currency: OptionalText = ""
    currency_code_name: OptionalText = ""
    reviewrequired: OptionalFlag = None
    approval_status: OptionalInteger = None
    lines: list[dict[str, object]] | None = None

    def state(self, today: date) -> AgreementState:
        if self.is_recurring_invoice is False:
            return AgreementState.UNKNOWN
        if self.enddate is not None and self.enddate < today:
            return AgreementState.EXPIRED
        return AgreementState.INACTIVE if self.disabled else AgreementState.ACTIVE

    def agreement(self, today: date) -> Agreement:
        return Agreement(
            id=AgreementId(str(self.id)),
            account_id=PsaAccountId(str(self.client_id)),
            name=self.reference or self.contract_ref or f"Recurring invoice {self.id}",
            type_name=self.periodname,
            state=self.state(today),
            starts_on=self.startdate,
            ends_on=self.enddate,
            next_invoice_on=self.nextcreationdate.date() if self.nextcreationdate else None,
            currency=_currency_code(self.currency_code_name) or _currency_code(self.currency),
        )


class ItemWire(RecordWire):
    name: Text
    description: OptionalText = ""
    baseprice: OptionalNumber = None
    costprice: OptionalNumber = None
    recurringprice: OptionalNumber = None
    recurringcost: OptionalNumber = None
    isrecurringitem: OptionalFlag = None

    def product(self, *, inactive: bool) -> Product:
        return Product(
            id=ProductId(str(self.id)),
            code=self.name,
            name=self.description or self.name,
            price=self.price(),
            cost=self.recurringcost if self.isrecurringitem and self.recurringcost else self.costprice,
            inactive=inactive,
        )

    def price(self) -> Decimal | None:
        """What the item costs a client each period: the recurring price where it has one, else the plain price."""
        return self.recurringprice if self.isrecurringitem and self.recurringprice else self.baseprice


class ChangeWire(RecordWire):
    """One row of HaloPSA's own record of who changed which field of an invoice; ids rise."""

    invoice_id: OptionalInteger = None
    invoice_line_id: OptionalInteger = None
    field_name: OptionalText = ""
    old_value: OptionalText = ""
    new_value: OptionalText = ""
    who: OptionalText = ""


_CURRENCIES = {
    "british pound sterling": "GBP",
    "british pound": "GBP",
    "pound sterling": "GBP",
    "£": "GBP",
    "euro": "EUR",
    "€": "EUR",
    "us dollar": "USD",
    "united states dollar": "USD",
    "us$": "USD",
    "australian dollar": "AUD",
    "canadian dollar": "CAD",
    "new zealand dollar": "NZD",
    "south african rand": "ZAR",
    "swiss franc": "CHF",
}
"""Names as HaloPSA was seen to write them. A bare dollar sign is not here: more than one currency uses it."""


def _currency_code(name: str) -> str | None:
    """The ISO code, or None where the text names none for certain; the MSP's own currency counts then."""
    wanted = name.strip()
    if re.fullmatch("[A-Za-z]{3}", wanted):
        return wanted.upper()
    return _CURRENCIES.get(wanted.casefold())


def plain(number: Decimal | None) -> str:
    """A number without the zeros that change nothing, so that 42 and 42.0 are the same."""
    return "" if number is None else f"{number.normalize():f}"


def is_text_line(raw: Mapping[str, object]) -> bool:
    """Whether a line is only a heading or a remark: it names no item and no quantity, or says that it is a heading."""
    item = raw.get("_itemid")
    names_item = isinstance(item, int) and item > 0
    return raw.get("isgroupdesc") is True or (not names_item and "qty_order" in raw and raw["qty_order"] is None)


def parse[Record: BaseModel](kind: type[Record], document: object, *, source: str) -> Record:
    """One record. ``source`` names the call in the message. Raises SchemaUnknown with field names and kinds only."""
    return parse_record(kind, document, vendor="HaloPSA", source=source, integration=INTEGRATION)


def list_under(document: object, key: str, *, source: str) -> Sequence[object]:
    """The rows of a list reply, which stand under the name of what they are. Raises SchemaUnknown naming the key."""
    rows = document.get(key) if isinstance(document, Mapping) else None
    if not isinstance(rows, list):
        raise SchemaUnknown(f"HaloPSA {source}: {kind_of(document)} without a list of {key}", integration=INTEGRATION)
    return rows
