"""A request to the vendor to change the seats in the agreement: what it asks for, and how it goes from draft to done.

Every step is a function of the order as it is: it returns the next one or says why there is none. Nothing but a later
read that shows the target makes an order *reflected*. Must not: hold a difference to be sent later; what is sent is
worked out from a count read at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.billing import PsaAccountId
from trueup.domain.canonical import Plain, sha256
from trueup.domain.errors import ChecksumMismatch, Conflict, InputInvalid
from trueup.domain.guards import Hold
from trueup.domain.order_parts import (
    Downsell,
    OrderKind,
    OrderReason,
    OrderRelease,
    OrderRoute,
    OrderState,
    OrderTerms,
    Place,
    Sending,
    Signature,
)

TEXT_CHARACTERS_MAXIMUM = 200

NOT_RELEASABLE = frozenset({"below_minimum", "product_change_with_decrease"})
"""Checks that no word of a person lifts: the order has to become another one first."""

_ENDS = frozenset({OrderState.REFLECTED, OrderState.REJECTED, OrderState.CANCELLED})


@dataclass(frozen=True, slots=True)
class ChangeOrder:
    """One change order. ``current`` and ``target`` are seats, both as of the draft.

    ``drafted`` is when and for whom it was last drafted with these figures, ``confirmed_at`` when a comparison last
    asked for just this. ``notes`` are sentences for the person who approves. ``settled`` is the step that ended it and
    ``settled_why`` its reason or evidence; ``remark`` is what the last look said. ``version`` grows with every change.
    """

    id: str
    period: str
    run_id: str
    vendor_id: VendorAccountId
    vendor_name: str
    service_id: ServiceId
    service_name: str
    psa_account_id: PsaAccountId | None
    psa_account_name: str
    current: int
    target: int
    reason: OrderReason
    drafted: Signature
    confirmed_at: datetime
    terms: OrderTerms = OrderTerms()
    holds: tuple[Hold, ...] = ()
    notes: tuple[str, ...] = ()
    release: OrderRelease | None = None
    state: OrderState = OrderState.DRAFT
    approved: Signature | None = None
    approved_checksum: str = ""
    route: OrderRoute = OrderRoute.PORTAL
    agreement_acknowledged: Signature | None = None
    submitted: Signature | None = None
    order_number: str = ""
    downsell: Downsell | None = None
    sending: Sending | None = None
    chased_at: datetime | None = None
    chases: int = 0
    settled: Signature | None = None
    settled_why: str = ""
    remark: str = ""
    version: int = 0

    @property
    def delta(self) -> int:
        """The change in seats as drafted; what is sent is worked out afresh."""
        return self.target - self.current

    @property
    def kind(self) -> OrderKind:
        return OrderKind.DECREASE if self.delta < 0 else OrderKind.INCREASE

    @property
    def place(self) -> Place:
        return self.vendor_id, self.service_id

    @property
    def was_posted(self) -> bool:
        """Whether it was, or was about to be, posted to the vendor's API; then it is never posted again."""
        return self.sending is not None and self.sending.order_begun_at is not None

    @property
    def was_sent(self) -> bool:
        """Whether the vendor may have it: a person said so, or the API was about to be told."""
        return self.submitted is not None or self.was_posted

    @property
    def is_open(self) -> bool:
        """Whether no other order may be made for this account and service.

        One that expired after it was sent stays open until a person says what became of it: a second one beside it
        could come to twice the change.
        """
        if self.state is OrderState.EXPIRED:
            return self.was_sent
        return self.state not in _ENDS

    @property
    def is_held(self) -> bool:
        return bool(self.holds) and (self.release is None or self.must_change)

    @property
    def must_change(self) -> bool:
        """Whether a check holds it that nobody can release."""
        return any(hold.guard in NOT_RELEASABLE for hold in self.holds)

    @property
    def hands(self) -> frozenset[str]:
        """Who had a hand in it before it is approved."""
        found = {self.drafted.by, "" if self.release is None else self.release.by}
        return frozenset(found - {""})

    @property
    def checksum(self) -> str:
        """Over all that is ordered and held, so that what is approved is what was shown."""
        terms = self.terms
        content: dict[str, Plain] = {
            "id": self.id,
            "vendor_id": self.vendor_id,
            "service_id": self.service_id,
            "current": self.current,
            "target": self.target,
            "terms": [terms.implementation_lead, terms.po_number, terms.product_change],
            "contract_starts_on": None if terms.contract_starts_on is None else terms.contract_starts_on.isoformat(),
            "holds": [[hold.guard, hold.figures] for hold in self.holds],
            "release": None if self.release is None else [self.release.by, self.release.reason],
        }
        return sha256(content)

    # Before it is approved.

    def with_terms(self, terms: OrderTerms) -> Self:
        """The draft with what a person says of it; a release was given for another order and falls. Its checks are
        for the caller to make again. Raises Conflict once it is approved, InputInvalid for a text that is too long.
        """
        self._require(OrderState.DRAFT, action="changed")
        for field in ("implementation_lead", "po_number", "product_change"):
            _require_text(getattr(terms, field), field)
        return replace(self, terms=terms, release=None)

    def with_checks(self, holds: tuple[Hold, ...], notes: tuple[str, ...]) -> Self:
        return replace(self, holds=holds, notes=notes)

    def redrafted(self, *, current: int, target: int, reason: OrderReason, by: str, at: datetime) -> Self:
        """The draft with other figures; a release of the old ones falls. Raises Conflict once it is approved."""
        self._require(OrderState.DRAFT, action="drafted again")
        signed = Signature(by, at)
        return replace(
            self, current=current, target=target, reason=reason, drafted=signed, confirmed_at=at, release=None
        )

    def released(self, release: OrderRelease) -> Self:
        """Raises Conflict when nothing holds it, or a check that nobody can release."""
        self._require(OrderState.DRAFT, action="released")
        if self.must_change:
            names = ", ".join(hold.guard for hold in self.holds if hold.guard in NOT_RELEASABLE)
            raise Conflict(
                f"order {self.id} cannot be released from {names}",
                remedy="; ".join(hold.release for hold in self.holds if hold.guard in NOT_RELEASABLE) + ".",
            )
        if not self.is_held:
            raise Conflict(f"order {self.id} is not held", remedy="Approve it as it is.")
        return replace(self, release=release)

    def approved_by(self, checksum: str, signature: Signature) -> Self:
        """Raises ChecksumMismatch unless it is exactly what was shown, Conflict while a check holds it."""
        self._require(OrderState.DRAFT, action="approved")
        if not checksum or checksum != self.checksum:
            raise ChecksumMismatch(
                f"order {self.id} does not have the checksum that was given",
                remedy=f"Look at it again and approve what it is now: trueup orders show {self.id}.",
            )
        if self.is_held:
            figures = "; ".join(f"{hold.guard}: {hold.figures}" for hold in self.holds)
            raise Conflict(
                f"order {self.id} is held ({figures})",
                remedy="; ".join(hold.release for hold in self.holds) + ".",
            )
        return replace(self, state=OrderState.APPROVED, approved=signature, approved_checksum=checksum)

    # Submitted: by a person in the portal, or through the API.

    def submitted_in_portal(
        self, signature: Signature, *, order_number: str, agreement_acknowledged: bool, downsell: Downsell | None
    ) -> Self:
        """A person typed it in. Raises InputInvalid naming what is missing, Conflict when it is not approved."""
        self._require(OrderState.APPROVED, action="marked as submitted")
        self._require_not_on_its_way()
        _require_text(order_number, "order_number")
        if not order_number.strip():
            raise InputInvalid(
                "the order number is missing",
                field="order_number",
                remedy="Give the number that the portal showed after the order was submitted.",
            )
        if not agreement_acknowledged:
            raise InputInvalid(
                "the order is governed by the existing agreement (MSA), and nobody acknowledged that",
                field="agreement_acknowledged",
                remedy="Tick it in the portal and say so here: --agreement-acknowledged.",
            )
        if self.kind is OrderKind.DECREASE and downsell is None:
            raise InputInvalid(
                "a decrease has a deadline until which it can be cancelled",
                field="downsell_deadline",
                remedy="Give the day that the portal's Downsell Notice shows, as YYYY-MM-DD.",
            )
        return replace(
            self,
            state=OrderState.SUBMITTED,
            route=OrderRoute.PORTAL,
            submitted=signature,
            agreement_acknowledged=signature,
            order_number=order_number.strip(),
            downsell=downsell if self.kind is OrderKind.DECREASE else None,
        )

    def require_count(self, now: int, *, told_by: str) -> None:
        """Raises Conflict with the figures when the count is not what it was when the order was drafted."""
        if now != self.current:
            raise Conflict(
                f"order {self.id} goes from {self.current} to {self.target} seats, and {told_by} the agreement has "
                f"{now} now",
                remedy="Cancel it and run again, so that the order is drafted from the count as it is.",
            )

    def sending_begun(self, signature: Signature, *, current: int, agreement_acknowledged: bool) -> Self:
        """About to be quoted. A quote orders nothing, so one that got lost is made again. Raises Conflict when an
        order may have been posted before, or the count moved; InputInvalid without the word on the agreement.
        """
        self._require(OrderState.APPROVED, action="sent")
        if self.was_sent:
            raise Conflict(f"order {self.id} was posted before; it is never posted again")
        if not agreement_acknowledged:
            raise InputInvalid(
                "the order is governed by the existing agreement (MSA), and nobody acknowledged that",
                field="agreement_acknowledged",
                remedy="Say so: --agreement-acknowledged.",
            )
        self.require_count(current, told_by="read just now,")
        begun = Sending(signature.by, signature.at, current, self.target - current)
        return replace(self, sending=begun, agreement_acknowledged=signature)

    def quoted(self, quote_id: str) -> Self:
        return replace(self, sending=replace(self._sent(), quote_id=quote_id))

    def order_begun(self, at: datetime) -> Self:
        """The mark before the one post that orders. Raises Conflict when it was set before."""
        self._require(OrderState.APPROVED, action="sent")
        if self._sent().order_begun_at is not None:
            raise Conflict(f"order {self.id} was posted before; it is never posted again")
        return replace(self, sending=replace(self._sent(), order_begun_at=at))

    def order_not_taken(self, why: str) -> Self:
        """The vendor surely did not carry it out (it asked to wait, or could not be reached): it may be sent again."""
        return replace(self, sending=replace(self._sent(), order_begun_at=None), remark=why)

    def order_taken(self, at: datetime, *, request_id: str, order_number: str) -> Self:
        sending = replace(self._sent(), request_id=request_id)
        return replace(
            self,
            state=OrderState.SUBMITTED,
            route=OrderRoute.API,
            submitted=Signature(sending.by, at),
            sending=sending,
            order_number=order_number,
        )

    def with_status(self, status: str, *, order_number: str) -> Self:
        """What the vendor says of its request; none of it proves that the seats changed."""
        sending = replace(self._sent(), status=status)
        return replace(self, sending=sending, order_number=order_number or self.order_number)

    # What became of it.

    def unclear(self, why: str, at: datetime) -> Self:
        """It needs a person: what became of it cannot be told from here."""
        return replace(self, state=OrderState.NEEDS_REVIEW, remark=why, settled=Signature("", at), settled_why=why)

    def cancelled(self, signature: Signature, why: str) -> Self:
        """Withdrawn: before it was sent, or in the portal before the deadline. Raises Conflict."""
        self._require(OrderState.DRAFT, OrderState.APPROVED, OrderState.SUBMITTED, action="cancelled")
        self._require_not_on_its_way()
        return self.ended(OrderState.CANCELLED, signature, why)

    def rejected(self, signature: Signature, why: str) -> Self:
        """The vendor said no, or the approver did. Raises Conflict."""
        self._require(OrderState.DRAFT, OrderState.APPROVED, OrderState.SUBMITTED, action="rejected")
        self._require_not_on_its_way()
        return self.ended(OrderState.REJECTED, signature, why)

    def refused(self, at: datetime, why: str) -> Self:
        """The vendor answered the API with a plain no: surely nothing was ordered."""
        return self.ended(OrderState.REJECTED, Signature("", at), why)

    def resolved(self, outcome: OrderState, signature: Signature, why: str) -> Self:
        """A person looked at the vendor and says what became of it: it still comes (submitted), or it does not
        (rejected, cancelled). Never reflected: that is for a read to say. Raises Conflict, InputInvalid.
        """
        self._require(OrderState.NEEDS_REVIEW, OrderState.EXPIRED, action="resolved")
        if not self.is_open:
            raise Conflict(f"order {self.id} is over", remedy="Nothing is open about it.")
        if outcome in {OrderState.REJECTED, OrderState.CANCELLED}:
            return self.ended(outcome, signature, why)
        if outcome is not OrderState.SUBMITTED:
            raise InputInvalid(
                f"an order cannot be resolved as {outcome.value}",
                field="outcome",
                remedy="Say submitted (it is still coming), rejected or cancelled; only a read makes it reflected.",
            )
        # The days to wait begin anew with the person's word.
        return replace(
            self,
            state=OrderState.SUBMITTED,
            submitted=signature,
            chased_at=None,
            settled=None,
            settled_why="",
            remark=why,
        )

    def ended(self, state: OrderState, signature: Signature, why: str) -> Self:
        """The order at an end, with whose word that is and why."""
        return replace(self, state=state, settled=signature, settled_why=why, remark="")

    def _sent(self) -> Sending:
        if self.sending is None:
            raise Conflict(f"order {self.id} is not being sent")
        return self.sending

    def _require_not_on_its_way(self) -> None:
        if self.state is OrderState.APPROVED and self.was_sent:
            raise Conflict(
                f"order {self.id} was being sent through the API",
                remedy=f"Find out first what became of that: trueup orders send {self.id}.",
            )

    def _require(self, *states: OrderState, action: str) -> None:
        if self.state not in states:
            wanted = " or ".join(state.value.replace("_", " ") for state in states)
            raise Conflict(
                f"order {self.id} is {self.state.value.replace('_', ' ')} and cannot be {action}",
                remedy=f"That is for an order that is {wanted}.",
            )


def _require_text(text: str, field: str) -> None:
    if len(text) > TEXT_CHARACTERS_MAXIMUM or any(not one.isprintable() for one in text):
        raise InputInvalid(
            f"{field} must be one line of at most {TEXT_CHARACTERS_MAXIMUM} characters",
            field=field,
            remedy="Shorten it and leave out line breaks.",
        )
