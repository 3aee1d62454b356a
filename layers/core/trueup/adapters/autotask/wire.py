"""What Autotask sends, field by field, and how the simple records become Trueup's own words.

Only the fields that are used are read. A record that lacks a required one raises SchemaUnknown with the field's name
and never its value. Units and contract services, which only together are a line, are joined elsewhere. No calls here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, StrictBool, StrictInt

from trueup.adapters.wire_values import (
    Number,
    OptionalNumber,
    OptionalText,
    Text,
    WireModel,
    outside_text,
    parse_record,
    parse_records,
)
from trueup.domain.billing import (
    Agreement,
    AgreementId,
    AgreementState,
    Product,
    ProductId,
    PsaAccount,
    PsaAccountId,
)
from trueup.domain.integrations import IntegrationName

INTEGRATION: Final = IntegrationName.AUTOTASK.value

COMPANY_FIELDS: Final = ("id", "companyName", "companyNumber", "isActive")
CONTRACT_FIELDS: Final = ("id", "companyID", "contractName", "contractType", "status", "startDate", "endDate")
CONTRACT_SERVICE_FIELDS: Final = (
    "id",
    "contractID",
    "serviceID",
    "unitPrice",
    "unitCost",
    "adjustedPrice",
    "invoiceDescription",
    "internalDescription",
)
UNITS_FIELDS: Final = (
    "id",
    "contractID",
    "contractServiceID",
    "serviceID",
    "startDate",
    "endDate",
    "units",
    "approveAndPostDate",
)
SERVICE_FIELDS: Final = ("id", "name", "description", "unitPrice", "unitCost", "isActive")
"""What every query asks for. ``id`` has to be among them where there is more than one page (documented)."""

RECURRING_LABEL: Final = "recurring service"
RECURRING_VALUE: Final = 7
"""The contract type whose services have units by period: 7 as documented, where the API tells no other."""

_STATE_OF_LABEL: Final = {
    "active": AgreementState.ACTIVE,
    "in effect": AgreementState.ACTIVE,
    "inactive": AgreementState.INACTIVE,
    "cancelled": AgreementState.CANCELLED,
    "canceled": AgreementState.CANCELLED,
}
_STATE_OF_VALUE: Final = {0: AgreementState.INACTIVE, 1: AgreementState.ACTIVE}
"""Seen in the field; used where the picklist cannot be read or says a word that is not known."""

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,7})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)


def _day(value: object) -> date:
    """The calendar day as Autotask writes it: days stand at midnight (documented), so no time zone moves them."""
    if isinstance(value, str) and _ISO_DAY.fullmatch(value):
        return date.fromisoformat(value[:10])
    raise ValueError("not a date")


def _optional_day(value: object) -> date | None:
    return None if value is None else _day(value)


def _choice(value: object) -> int | None:
    """A picklist value: a number, which older descriptions spell as text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError("not a picklist value")


def _words(value: object) -> str:
    """A label or value of a picklist; anything that is no text is nothing."""
    return outside_text(value) if isinstance(value, str) else "" if value is None else str(value)


Day = Annotated[date, BeforeValidator(_day)]
OptionalDay = Annotated[date | None, BeforeValidator(_optional_day)]
Choice = Annotated[int | None, BeforeValidator(_choice)]
Words = Annotated[str, BeforeValidator(_words)]


class ZoneWire(WireModel):
    zoneName: OptionalText = ""
    url: Text


class ThresholdWire(WireModel):
    """All integrations of the tenant together share the threshold; the timeframe is in minutes (published schema)."""

    externalRequestThreshold: StrictInt
    requestThresholdTimeframe: StrictInt
    currentTimeframeRequestCount: StrictInt


class CountWire(WireModel):
    queryCount: StrictInt


class PageWire(WireModel):
    nextPageUrl: OptionalText = ""


class ResultWire(WireModel):
    items: list[object]
    pageDetails: PageWire


class AccessWire(WireModel):
    canCreate: StrictBool | None = None
    canQuery: StrictBool | None = None
    userAccessForCreate: Words = ""
    userAccessForQuery: Words = ""


class EntityWire(WireModel):
    info: AccessWire


class _ChoiceWire(WireModel):
    value: Words = ""
    label: Words = ""


class FieldWire(WireModel):
    name: Text
    picklistValues: list[_ChoiceWire] | None = None

    def choices(self) -> dict[int, str]:
        """Labels by value; entries that are no number are left out."""
        listed = self.picklistValues or []
        return {int(one.value): one.label for one in listed if re.fullmatch("[0-9]{1,9}", one.value, re.ASCII)}


class FieldsWire(WireModel):
    fields: list[FieldWire]


class RecordWire(WireModel):
    """Anything that is queried: it has an id."""

    id: StrictInt


class CompanyWire(RecordWire):
    companyName: Text
    companyNumber: OptionalText = ""
    isActive: StrictBool | None = None

    def account(self) -> PsaAccount:
        """A company that is not active takes the place of a deleted one: Autotask deletes none that has a history."""
        inactive = self.isActive is False
        return PsaAccount(
            id=PsaAccountId(str(self.id)),
            identifier=self.companyNumber,
            name=self.companyName,
            status_text="Inactive" if inactive else "Active",
            deleted=inactive,
        )


@dataclass(frozen=True, slots=True)
class ContractWords:
    """What the picklists of contracts say: which type is the recurring one, its label, and what a status means."""

    recurring: int = RECURRING_VALUE
    label: str = "Recurring Service"
    statuses: Mapping[int, str] | None = None

    @classmethod
    def of(cls, fields: list[FieldWire]) -> ContractWords:
        """From ``entityInformation/fields``; what it does not tell is as documented."""
        choices = {field.name.casefold(): field.choices() for field in fields}
        types = choices.get("contracttype", {})
        found = next((value for value, label in types.items() if label.strip().casefold() == RECURRING_LABEL), None)
        if found is None:
            return cls(statuses=choices.get("status"))
        return cls(found, types[found], choices.get("status"))

    def state(self, status: int | None) -> AgreementState:
        if status is None:
            return AgreementState.UNKNOWN
        label = (self.statuses or {}).get(status, "").strip().casefold()
        return _STATE_OF_LABEL.get(label) or _STATE_OF_VALUE.get(status, AgreementState.UNKNOWN)


class ContractWire(RecordWire):
    companyID: StrictInt
    contractName: OptionalText = ""
    contractType: Choice = None
    status: Choice = None
    startDate: OptionalDay = None
    endDate: OptionalDay = None

    def agreement(self, words: ContractWords, today: date) -> Agreement:
        """The end date ends the billing (documented), whatever the status says; an end that is far off counts as one.

        Autotask bills when a person approves and posts a period, so there is no day of the next invoice; quantities
        may change on any day of it.
        """
        state = words.state(self.status)
        if state is AgreementState.ACTIVE and self.endDate is not None and self.endDate < today:
            state = AgreementState.EXPIRED
        return Agreement(
            id=AgreementId(str(self.id)),
            account_id=PsaAccountId(str(self.companyID)),
            name=self.contractName or f"Contract {self.id}",
            type_name=words.label,
            state=state,
            starts_on=self.startDate,
            ends_on=self.endDate,
            prorates=True,
        )


class ContractServiceWire(RecordWire):
    """One service of a contract; its units are told elsewhere."""

    contractID: StrictInt
    serviceID: StrictInt
    unitPrice: OptionalNumber = None
    unitCost: OptionalNumber = None
    adjustedPrice: OptionalNumber = None
    invoiceDescription: OptionalText = ""
    internalDescription: OptionalText = ""


class UnitsWire(RecordWire):
    """The units of a contract service from one day to another, both included."""

    contractID: StrictInt
    contractServiceID: StrictInt
    serviceID: StrictInt | None = None
    startDate: Day
    endDate: Day
    units: Number
    approveAndPostDate: OptionalText = ""

    @property
    def version(self) -> str:
        """What changes when anybody adjusts, splits or posts the period. Autotask gives units no stamp of its own."""
        posted = self.approveAndPostDate
        return f"{self.units}|{self.startDate.isoformat()}|{self.endDate.isoformat()}|{posted}"

    def holds(self, day: date) -> bool:
        return self.startDate <= day <= self.endDate


class ServiceWire(RecordWire):
    name: Text
    description: OptionalText = ""
    unitPrice: OptionalNumber = None
    unitCost: OptionalNumber = None
    isActive: StrictBool | None = None

    def product(self) -> Product:
        return Product(
            id=ProductId(str(self.id)),
            code=self.name,
            name=self.description or self.name,
            price=self.unitPrice,
            cost=self.unitCost,
            inactive=self.isActive is False,
        )


def parse[Record: BaseModel](kind: type[Record], document: object, *, source: str) -> Record:
    """One record. ``source`` names the call in the message. Raises SchemaUnknown with field names and kinds only."""
    return parse_record(kind, document, vendor="Autotask", source=source, integration=INTEGRATION)


def parse_list[Record: BaseModel](kind: type[Record], document: object, *, source: str) -> list[Record]:
    """A list of records, each validated; a list with one bad record is no list. Raises SchemaUnknown."""
    return parse_records(kind, document, vendor="Autotask", source=source, integration=INTEGRATION)
