"""Bodies that the API takes. Unknown members are refused, so nothing is assigned that was not meant to be."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool, StrictInt, model_validator

from trueup.domain.api_keys import KeyScope
from trueup.domain.notices import NoticeKind

ShortText = Annotated[str, Field(min_length=1, max_length=500)]
OwnerText = Annotated[str, Field(max_length=100)]
Identifier = Annotated[str, Field(min_length=1, max_length=256)]
Effective = Annotated[
    str, Field(max_length=40, description="now, next_invoice, next_period or a day as YYYY-MM-DD, as the PSA offers")
]
PolicyText = Annotated[str, Field(max_length=300)]
Checksum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


class ConnectBody(Body):
    """A credential and the address it is for. All fields must come every time; none is ever given back.

    ``switch`` is the caller's word that this system takes the place of the one that is connected now.
    ``credential_ends_on`` is the credential's last day, where it has one: a notice tells of it a month before.
    """

    address: Annotated[str, Field(min_length=1, max_length=300)]
    fields: dict[Annotated[str, Field(max_length=40)], SecretStr]
    switch: StrictBool = False
    credential_ends_on: date | None = None


class AccountDecisionBody(Body):
    """Map to a PSA account, or exclude with a reason. ``version`` is the entry's version that the decision is based
    on. An exclusion may have an owner and a day on which it is to be looked at again.
    """

    psa_account_id: Identifier | None = None
    exclude_reason: ShortText | None = None
    version: int | None = None
    owner: OwnerText = ""
    review_on: date | None = None

    @model_validator(mode="after")
    def _one_decision(self) -> AccountDecisionBody:
        if self.exclude_reason is None and (self.owner or self.review_on):
            raise ValueError("an owner and a day of review go with exclude_reason")
        if (self.psa_account_id is None) == (self.exclude_reason is None):
            raise ValueError("give either psa_account_id or exclude_reason")
        return self


class NoteBody(Body):
    """Words about an account for whoever looks at it next."""

    text: ShortText


class ServiceDecisionBody(Body):
    """Map to a product by its Product ID or internal id, exclude with a reason, or say whether the service is sold by
    the licensed user.
    """

    product_id: Identifier | None = None
    exclude_reason: ShortText | None = None
    is_per_user: StrictBool | None = None

    @model_validator(mode="after")
    def _one_decision(self) -> ServiceDecisionBody:
        if sum(said is not None for said in (self.product_id, self.exclude_reason, self.is_per_user)) != 1:
            raise ValueError("give one of product_id, exclude_reason and is_per_user")
        return self


class BulkDecision(Body):
    """One row of a bulk edit: an empty ``psa_account_id`` excludes and needs a reason."""

    vendor_account_id: Identifier
    psa_account_id: Annotated[str, Field(max_length=256)] = ""
    reason: Annotated[str, Field(max_length=500)] = ""
    owner: OwnerText | None = None
    review_on: date | None = None


class BulkBody(Body):
    decisions: Annotated[list[BulkDecision], Field(min_length=1, max_length=5000)]


class CountingPolicyBody(Body):
    """Rules of a counting policy; what is left out stays as it is in force. ``cap_seats`` null means no cap."""

    counted_skus: list[PolicyText] = []
    ignored_skus: list[PolicyText] = []
    counts_shared: StrictBool = False
    counts_rooms: StrictBool = False
    counts_guests: StrictBool = False
    counts_blocked: StrictBool = False
    counts_unknown_mailboxes: StrictBool = True
    service_users: list[PolicyText] = []
    included_seats: StrictInt = 0
    minimum_seats: StrictInt = 0
    cap_seats: StrictInt | None = None
    multiple_seats: StrictInt = 1
    adjusts_stated: StrictBool = False
    reason: ShortText

    @property
    def changes(self) -> dict[str, Any]:
        """The rules that were given."""
        given = self.model_dump(include=self.model_fields_set - {"reason"})
        return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


class ReleaseBody(Body):
    reason: ShortText


class AddLineBody(Body):
    """The line that a new-revenue row lacks, on an agreement a person chose: one of the row's agreement_choices."""

    row_id: Identifier
    agreement_id: Identifier
    effective: Effective = ""


class UndoBody(Body):
    """What to take back of a plan: the named changes, or all that it wrote when none is named."""

    reason: ShortText
    change_ids: Annotated[list[Identifier], Field(max_length=5000)] = []


class FixedLine(Body):
    line_id: Identifier
    seats: Annotated[StrictInt, Field(ge=0, le=10_000_000)]


class LineDivisionBody(Body):
    """How the seats are divided: every live line but one with a fixed number, the rest on ``balance``."""

    fixed: Annotated[list[FixedLine], Field(min_length=1, max_length=200)]
    balance: Identifier
    reason: ShortText


class ChecksumBody(Body):
    checksum: Checksum


class RunBody(Body):
    """``accept_drop``: believe a list that is much shorter than last time. ``effective``: from when the changes are to
    count, as the connected PSA does it when left out. The body may be left out too.
    """

    accept_drop: StrictBool = False
    effective: Effective = ""


class ApiKeyBody(Body):
    """A key for a machine: what uses it, what it may do, and how often."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=len(KeyScope))]
    calls_a_minute: StrictInt = 60


class CallbacksBody(Body):
    """Where the PSA is to call; the address of this API when left out."""

    url: Annotated[str, Field(min_length=1, max_length=300)] | None = None


class RunReference(Body):
    """The run whose reads a plan is proposed on again, for instance after a mapping was corrected."""

    run_id: Identifier


TicketNumber = Annotated[str, Field(max_length=18)]


class TicketPlaceBody(Body):
    """Where tickets go in the connected PSA, by its own numbers as text.

    ``queue_id`` is the ConnectWise board or the Autotask queue.
    """

    company_id: TicketNumber
    queue_id: TicketNumber | None = None
    priority_id: TicketNumber | None = None
    status_id: TicketNumber | None = None
    type_id: TicketNumber | None = None


class NoticeChannelBody(Body):
    """What a channel takes, and where it goes: ``webhook_url`` for teams and slack, ``ticket`` for ticket."""

    kinds: Annotated[list[NoticeKind], Field(max_length=len(NoticeKind))] = []
    webhook_url: Annotated[SecretStr, Field(max_length=2000)] | None = None
    ticket: TicketPlaceBody | None = None
