"""What Syncro sends, field by field, and how it becomes Trueup's own words.

The published description shows samples and no schemas, so every type here is read from a sample (published schema) and
what may be left out is assumed. A recurring invoice is called a schedule there. Nothing here makes a call.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field, StrictBool, StrictInt

from trueup.adapters.wire_values import (
    InformationalDay,
    OptionalNumber,
    OptionalText,
    WireModel,
    kind_of,
    outside_number,
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
from trueup.domain.canonical import decimal_text
from trueup.domain.errors import SchemaUnknown

INTEGRATION: Final = "syncro"

CALCULATED_REASON: Final = "Syncro counts the quantity of this line itself and would overwrite what is written"
ONE_TIME_REASON: Final = "the line is a one-time charge"
NO_PRODUCT_REASON: Final = "the line names no product"
NO_PRODUCT: Final = ProductId("none")
"""Stands for the product of a line that a person typed by hand; no product has this id."""

_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
_CENT = Decimal("0.01")


def _quantity(value: object) -> Decimal:
    """A decimal as text, as the samples show it (``"47.0"``), or a number, as requests take it."""
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value):
            raise ValueError("not a decimal number")
        return Decimal(value)
    return outside_number(value)


Quantity = Annotated[Decimal, BeforeValidator(_quantity)]


class RecordWire(WireModel):
    """Anything that is listed: it has an id."""

    id: StrictInt


class MetaWire(WireModel):
    """What a page says of the list. The sample shows it with customers; it was seen with other lists too."""

    total_entries: Annotated[StrictInt, Field(ge=0, lt=10**9)]
    page: StrictInt | None = None


class UserWire(WireModel):
    """Whose token it is. The sample shows that the reply holds a ``user_token``, which is not read."""

    user_name: OptionalText = ""
    subdomain: OptionalText = ""


class CustomerWire(RecordWire):
    business_name: OptionalText
    business_then_name: OptionalText = ""
    fullname: OptionalText = ""
    disabled: StrictBool | None = None

    def account(self) -> PsaAccount:
        """The business, or the person where there is none. Syncro has no short code for a customer."""
        name = next((one for one in (self.business_name, self.business_then_name, self.fullname) if one.strip()), "")
        disabled = bool(self.disabled)
        return PsaAccount(
            PsaAccountId(str(self.id)), "", name, status_text="Disabled" if disabled else "Active", deleted=disabled
        )


class LineWire(RecordWire):
    schedule_id: StrictInt | None = None
    product_id: StrictInt | None
    name: OptionalText = ""
    description: OptionalText = ""
    quantity: Quantity
    retail_cents: StrictInt | None = None
    cost_cents: StrictInt | None = None
    price_retail: OptionalNumber = None
    price_cost: OptionalNumber = None
    taxable: StrictBool | None = None
    one_time_charge: StrictBool | None = None
    asset_type_id: StrictInt | None = None
    recurring_type_id: StrictInt | None = None
    contact_field_type_id: StrictInt | None = None
    saved_asset_search_id: StrictInt | None = None
    device_ids: list[Any] | None = None

    def line(self, agreement: Agreement) -> Line:
        """The line in Trueup's words. Its name is its own copy of the product's name, and what people know it by."""
        return Line(
            id=LineId(str(self.id)),
            agreement_id=agreement.id,
            account_id=agreement.account_id,
            product_id=NO_PRODUCT if self.product_id is None else ProductId(str(self.product_id)),
            product_code=self.name,
            description=self.description,
            quantity=self.quantity,
            version=self.version(),
            unit_price=_price(self.retail_cents, self.price_retail),
            unit_cost=_price(self.cost_cents, self.price_cost),
            not_writable_reason=self._obstacle(),
        )

    def version(self) -> str:
        """A digest of all that the line bills: Syncro shows no mark of a line's last edit."""
        return _digest({"quantity": decimal_text(self.quantity), **self.beside_quantity()})

    def beside_quantity(self) -> dict[str, Any]:
        """Everything the line says but its quantity and its place on the page."""
        return self.model_dump(mode="json", exclude={"quantity", "schedule_id"})

    def _obstacle(self) -> str | None:
        """Why no program may write the line. That a counted line is one that names what it counts is assumed: the
        request takes these fields, and the samples of plain lines show them empty.
        """
        counts = (self.asset_type_id, self.recurring_type_id, self.contact_field_type_id, self.saved_asset_search_id)
        if any(one is not None for one in counts) or self.device_ids:
            return CALCULATED_REASON
        if self.one_time_charge:
            return ONE_TIME_REASON
        return NO_PRODUCT_REASON if self.product_id is None else None


class ScheduleWire(RecordWire):
    customer_id: StrictInt
    name: OptionalText = ""
    frequency: OptionalText = ""
    next_run: InformationalDay = None
    paused: StrictBool | None = None
    lines: list[LineWire] | None = None

    def agreement(self) -> Agreement:
        """A schedule has no days on which it begins or ends; a paused one makes no invoices."""
        return Agreement(
            id=AgreementId(str(self.id)),
            account_id=PsaAccountId(str(self.customer_id)),
            name=self.name,
            type_name=self.frequency,
            state=AgreementState.INACTIVE if self.paused else AgreementState.ACTIVE,
            next_invoice_on=self.next_run,
        )


class _SkuWire(WireModel):
    sku: OptionalText = ""


class ProductWire(RecordWire):
    name: OptionalText
    description: OptionalText = ""
    price_retail: OptionalNumber = None
    price_cost: OptionalNumber = None
    disabled: StrictBool | None = None
    product_skus: list[_SkuWire] | None = None

    def product(self) -> Product:
        """What Syncro calls the product's name is what lines carry and people know it by, so it is the code here."""
        return Product(
            id=ProductId(str(self.id)),
            code=self.name,
            name=self.description or self.name,
            price=self.price_retail,
            cost=self.price_cost,
            inactive=bool(self.disabled),
        )

    def skus(self) -> tuple[str, ...]:
        """The vendors' own codes of the product."""
        return tuple(one.sku for one in self.product_skus or () if one.sku)


def parse[Record: BaseModel](kind: type[Record], document: object, *, source: str) -> Record:
    """One record; ``source`` names the call. Raises SchemaUnknown with field names and kinds only."""
    return parse_record(kind, document, vendor="Syncro", source=source, integration=INTEGRATION)


def parse_under[Record: BaseModel](kind: type[Record], document: object, key: str, *, source: str) -> Record:
    """The record that a reply holds under a name, as in ``{"schedule": {...}}``."""
    return parse(kind, _under(document, key, source), source=source)


def list_under[Record: BaseModel](kind: type[Record], document: object, key: str, *, source: str) -> list[Record]:
    """The list that a reply holds under a name; a list with one bad record is no list. Raises SchemaUnknown."""
    rows = _under(document, key, source)
    return parse_records(kind, rows, vendor="Syncro", source=source, integration=INTEGRATION)


def meta_of(document: object, *, source: str) -> MetaWire | None:
    """What a page says of its list, None where it says nothing."""
    found = document.get("meta") if isinstance(document, Mapping) else None
    return None if found is None else parse(MetaWire, found, source=f"{source} (meta)")


def _under(document: object, key: str, source: str) -> object:
    if not isinstance(document, Mapping) or key not in document:
        raise SchemaUnknown(
            f"Syncro {source}: {kind_of(document)} where {key} is due: required and not there", integration=INTEGRATION
        )
    return document[key]


def _price(cents: int | None, price: Decimal | None) -> Decimal | None:
    """Cents are exact, so they go first; the other is the same in whole units."""
    return cents * _CENT if cents is not None else price


def _digest(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
