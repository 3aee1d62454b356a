"""What Microsoft Graph sends, field by field, and how it becomes Trueup's own words. Nothing here makes a call.

Shapes are those of Graph v1.0 (documented). Text that is only shown may be left out or null; what a count depends on
may not: a record that lacks it is no record, because a missing license would be counted as none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StrictBool, StrictInt

from trueup.adapters.microsoft365.address import tenant_id_of
from trueup.adapters.wire_values import OptionalText, Text, WireModel, kind_of, parse_record, parse_records
from trueup.domain.errors import SchemaUnknown
from trueup.domain.licenses import MailboxKind, Sku, UserKind

INTEGRATION: Final = "microsoft365"
VENDOR: Final = "Microsoft Graph"

_UNITS_MAXIMUM: Final = 100_000_000


def _directory_id(value: object) -> str:
    found = tenant_id_of(value)
    if found is None:
        raise ValueError("not an id")
    return found


def _some_text(value: str) -> str:
    if not value:
        raise ValueError("an empty text")
    return value


DirectoryId = Annotated[str, BeforeValidator(_directory_id)]
"""A GUID in lower case: ids of tenants, users and licenses are (documented), in either case (seen)."""

Units = Annotated[StrictInt, Field(ge=0, le=_UNITS_MAXIMUM)]


class CustomerWire(WireModel):
    """One client the MSP administers by GDAP (documented)."""

    id: DirectoryId = Field(alias="tenantId")
    name: OptionalText = Field(default="", alias="displayName")


class ContractWire(WireModel):
    """One client the MSP has a partner contract with (documented); its own ``id`` is the contract's."""

    id: DirectoryId = Field(alias="customerId")
    name: OptionalText = Field(default="", alias="displayName")


class ServicePlanWire(WireModel):
    name: OptionalText = Field(default="", alias="servicePlanName")


class PrepaidUnitsWire(WireModel):
    """Units by state. Those in warning still work: the subscription is in its grace period (documented)."""

    enabled: Units | None = None
    warning: Units | None = None


class SkuWire(WireModel):
    """One license that a tenant owns. ``id`` is the tenant's id, ``_`` and the license's id (documented by example)."""

    id: OptionalText = ""
    account_id: OptionalText = Field(default="", alias="accountId")
    sku_id: DirectoryId = Field(alias="skuId")
    part_number: OptionalText = Field(default="", alias="skuPartNumber")
    applies_to: OptionalText = Field(default="", alias="appliesTo")
    consumed: Units | None = Field(default=None, alias="consumedUnits")
    prepaid: PrepaidUnitsWire | None = Field(default=None, alias="prepaidUnits")
    plans: tuple[ServicePlanWire, ...] | None = Field(default=None, alias="servicePlans")

    @property
    def tenants(self) -> frozenset[str]:
        """Whose license this is, by all that it says: its account, and what stands before the ``_`` of its id."""
        said = (tenant_id_of(self.account_id), tenant_id_of(self.id.partition("_")[0]))
        return frozenset(one for one in said if one is not None)

    @property
    def is_for_users(self) -> bool:
        """Whether it is given to users; some are the whole company's (documented: User or Company)."""
        return self.applies_to.lower() != "company"

    def sku(self) -> Sku:
        """In Trueup's words."""
        names = sorted({plan.name for plan in self.plans or () if plan.name})
        units = (self.prepaid.enabled or 0) + (self.prepaid.warning or 0) if self.prepaid is not None else 0
        return Sku(self.sku_id, self.part_number, tuple(names), units, self.consumed or 0)


class AssignedLicenseWire(WireModel):
    sku_id: DirectoryId = Field(alias="skuId")


class UserWire(WireModel):
    """One user as a delta page shows it.

    ``removed`` is there for a user that was deleted (documented). Properties that were never set are left out, and one
    that was emptied is null (documented); a page may show a user several times (documented). Only ``licenses`` must be
    a list where it is told: what null would mean for it is said nowhere.
    """

    id: DirectoryId
    removed: dict[str, Any] | None = Field(default=None, alias="@removed")
    address: Annotated[Text, BeforeValidator(_some_text)] | None = Field(default=None, alias="userPrincipalName")
    name: OptionalText = Field(default="", alias="displayName")
    enabled: StrictBool | None = Field(default=None, alias="accountEnabled")
    user_type: OptionalText = Field(default="", alias="userType")
    licenses: tuple[AssignedLicenseWire, ...] = Field(default=(), alias="assignedLicenses")

    def tells(self, field: str) -> bool:
        """Whether that field came at all."""
        return field in self.model_fields_set

    @property
    def kind(self) -> UserKind:
        """Member and Guest are the words (documented); old accounts have none (seen in the field)."""
        return {"member": UserKind.MEMBER, "guest": UserKind.GUEST}.get(self.user_type.lower(), UserKind.UNKNOWN)

    @property
    def sku_ids(self) -> tuple[str, ...]:
        """Each license once, in order."""
        return tuple(sorted({one.sku_id for one in self.licenses}))


MAILBOX_KINDS: Final[Mapping[str, MailboxKind]] = {
    "user": MailboxKind.USER,
    "linked": MailboxKind.USER,
    "shared": MailboxKind.SHARED,
    "room": MailboxKind.ROOM,
    "equipment": MailboxKind.EQUIPMENT,
}
"""What each userPurpose is (documented). linked belongs to one person of another forest. others says only that it is
none of these, which tells nothing about who pays for it, so it is unknown, as is a word that is new.
"""


class SubReplyWire(WireModel):
    """One reply inside a batch (documented): the id of its request, its own status and headers."""

    id: str
    status: StrictInt
    headers: dict[str, Any] | None = None
    body: Any = None

    @property
    def header_texts(self) -> dict[str, str]:
        """The headers, their names as they are written on the wire (``Retry-After``)."""
        return {name.title(): value for name, value in (self.headers or {}).items() if isinstance(value, str)}


@dataclass(frozen=True, slots=True)
class ListPage[Record]:
    """One page of a list. ``next_link`` and ``delta_link`` are as sent and not yet checked; empty where not sent."""

    records: list[Record]
    next_link: str
    delta_link: str


def parse_page[Record: WireModel](kind: type[Record], document: object, *, source: str) -> ListPage[Record]:
    """A page of records. Raises SchemaUnknown, also for a link that is no text."""
    if not isinstance(document, Mapping):
        raise schema_unknown(source, f"{kind_of(document)} where an object with value is due")
    if "value" not in document:
        raise schema_unknown(source, f"{kind_of(document)} where value is due")
    records = parse_records(kind, document["value"], vendor=VENDOR, source=source, integration=INTEGRATION)
    links = [document.get(name) for name in ("@odata.nextLink", "@odata.deltaLink")]
    if not all(link is None or isinstance(link, str) for link in links):
        raise schema_unknown(source, "a link to more that is no text")
    return ListPage(records, links[0] or "", links[1] or "")


def parse_sub_replies(document: object, *, asked: Sequence[str]) -> dict[str, SubReplyWire]:
    """The replies of a batch by the id of their request, one for each that was asked. Raises SchemaUnknown."""
    source = "reading a batch of mailbox settings"
    responses = document.get("responses") if isinstance(document, Mapping) else None
    replies = parse_records(SubReplyWire, responses, vendor=VENDOR, source=source, integration=INTEGRATION)
    found = {reply.id: reply for reply in replies}
    if len(found) != len(replies) or set(found) != set(asked):
        raise schema_unknown(source, "the replies are not one for each request")
    return found


def parse[Record: WireModel](kind: type[Record], document: object, *, source: str) -> Record:
    """One record. Raises SchemaUnknown."""
    return parse_record(kind, document, vendor=VENDOR, source=source, integration=INTEGRATION)


def schema_unknown(source: str, problem: str) -> SchemaUnknown:
    """The error for a shape that is not known."""
    return SchemaUnknown(f"{VENDOR} {source}: {problem}", integration=INTEGRATION)
