"""What a change order is made of: its states, who took which step, and how far one that was sent by the API got."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from trueup.domain.accounts import ServiceId, VendorAccountId

Place = tuple[VendorAccountId, ServiceId]
"""One account and one service of it: there is at most one open order for each."""


class OrderState(StrEnum):
    """draft -> approved -> submitted -> reflected, or an end without it.

    rejected: the vendor said no. cancelled: a person withdrew it, or it was not needed any more. expired: nothing came
    of it in time. needs_review: it is not known what became of it, or the count went somewhere else.
    """

    DRAFT = "draft"
    APPROVED = "approved"
    SUBMITTED = "submitted"
    REFLECTED = "reflected"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    NEEDS_REVIEW = "needs_review"


class OrderKind(StrEnum):
    INCREASE = "increase"
    DECREASE = "decrease"


class OrderRoute(StrEnum):
    """portal: a person types it into the vendor's portal. api: Trueup sends it."""

    PORTAL = "portal"
    API = "api"


@dataclass(frozen=True, slots=True)
class Signature:
    """Who took a step, and when."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderRelease:
    """A person's word that a held order may be approved."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class OrderReason:
    """What the order is drafted from: how many are licensed, as of when, counted by which version of the policy."""

    licensed: int
    counted_at: datetime
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Downsell:
    """What the portal's Downsell Notice says of a decrease, typed by a person. No API tells either day.

    ``deadline`` is until when the order can be cancelled, ``effective_on`` the next billing date.
    """

    deadline: date
    effective_on: date | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """How far an order sent through the API got. Each mark is stored before what it stands for is sent.

    ``expected`` is the count read right before and ``delta`` the difference worked out from it. ``order_begun_at`` is
    set before the order is posted: from then on it is never posted again, whatever is known of the reply. ``status`` is
    the vendor's own last word.
    """

    by: str
    begun_at: datetime
    expected: int
    delta: int
    quote_id: str = ""
    order_begun_at: datetime | None = None
    request_id: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What a person says of an order before it is approved.

    ``implementation_lead`` is the portal user that the portal's form asks for. An empty ``po_number`` stands for "not
    required", an empty ``product_change`` for "Keep Existing". ``contract_starts_on`` is None while nobody said it.
    """

    implementation_lead: str = ""
    po_number: str = ""
    product_change: str = ""
    contract_starts_on: date | None = None


@dataclass(frozen=True, slots=True)
class OrderAsk:
    """What the vendor's API is asked for. ``expected`` was read a moment ago and ``delta`` worked out from it.

    ``reference`` is our own id of the order and ``contract_reference`` the vendor's of the contract line, empty where
    no source tells one.
    """

    reference: str
    vendor_id: VendorAccountId
    service_id: ServiceId
    expected: int
    target: int
    delta: int
    po_number: str = ""
    contract_reference: str = ""


class AnswerKind(StrEnum):
    """taken: it said yes. refused: it plainly said no, and did nothing. unknown: it may have done it or not."""

    TAKEN = "taken"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """How a post was answered. ``reference`` is the vendor's id of the quote or request, empty where it gave none."""

    kind: AnswerKind
    reason: str
    reference: str = ""
    order_number: str = ""


class RequestState(StrEnum):
    """What the vendor says of a request. completed is its word and no proof that the seats changed."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """The vendor's own word beside what it means here; unknown for a word that is not known."""

    state: RequestState
    word: str
    order_number: str = ""
    reason: str = ""
