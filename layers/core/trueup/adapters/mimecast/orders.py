"""Ordering through Mimecast's partner API: quote, order, status of the request. ASSUMED, and off unless switched on.

The three paths are seen in one public script; no body, and not even that they take a change of seats for an existing
customer, is documented anywhere. What is sent and read is therefore data (order_mapping.json). Each post is sent once.
Must not: repeat a post, or take an answer it cannot read for a no.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trueup.adapters.http import HttpClient, HttpLimits, HttpReply, Pace, path_segment
from trueup.adapters.mimecast.adapter import PARALLEL_CALLS, REQUESTS_PER_SECOND, parse_mimecast_address
from trueup.adapters.mimecast.calls import MimecastCalls
from trueup.adapters.mimecast.fault_bodies import body_status, faults_in, faults_of_reply
from trueup.adapters.mimecast.order_mapping import OrderMapping, filled, shipped_order_mapping
from trueup.adapters.mimecast.permissions import PARTNER
from trueup.adapters.mimecast.reading import INTEGRATION, display_text, find_told, identifier, schema_unknown
from trueup.adapters.mimecast.tokens import TokenSource, parse_credential
from trueup.domain.errors import ReplyUnreadable, UnsafeAddress, WriteOutcomeUnknown
from trueup.domain.order_parts import AnswerKind, OrderAnswer, OrderAsk, RequestState, RequestStatus
from trueup.ports.clock import Clock

_WORD_CHARACTERS: Final = 60


class MimecastOrders:
    """Implements OrderSubmission."""

    def __init__(self, calls: MimecastCalls, mapping: OrderMapping) -> None:
        self._calls = calls
        self._mapping = mapping

    def close(self) -> None:
        """Close idle connections."""
        self._calls.close()

    def quote(self, ask: OrderAsk) -> OrderAnswer:
        """See OrderSubmission.quote. Raises SchemaUnknown for a yes without a quote's id, which orders nothing."""
        fields = self._mapping.quote
        answer, document = self._post(fields.path, fields.body, _values(ask, quote_id=""), fields.reference)
        if answer.kind is AnswerKind.TAKEN and not answer.reference:
            raise schema_unknown("the reply to a quote names no quote", document, self._mapping.version)
        return answer

    def order(self, ask: OrderAsk, quote_id: str) -> OrderAnswer:
        """See OrderSubmission.order. A yes without the request's id is a yes: reads tell what comes of it."""
        fields = self._mapping.order
        answer, document = self._post(fields.path, fields.body, _values(ask, quote_id=quote_id), fields.reference)
        if answer.kind is not AnswerKind.TAKEN:
            return answer
        number = identifier(find_told(document, fields.order_number)[1]) or ""
        return OrderAnswer(answer.kind, answer.reason, answer.reference, number[:_WORD_CHARACTERS])

    def status(self, request_id: str) -> RequestStatus:
        """See OrderSubmission.status. A word that is not known is told as it is and means nothing."""
        fields = self._mapping.status
        path = fields.path.replace("{request_id}", path_segment(request_id))
        document = self._calls.get(path, permission=PARTNER, errors_are_content=True)
        key, value = find_told(document, fields.word)
        if not isinstance(value, str) or not value.strip():
            problem = f"{key} is no text" if key else "no status"
            raise schema_unknown(f"the status of a request has {problem}", document, self._mapping.version)
        word = display_text(value).strip()[:_WORD_CHARACTERS]
        number = identifier(find_told(document, fields.order_number)[1]) or ""
        codes = ", ".join(fault.code for fault in faults_in(document))
        return RequestStatus(self._meaning(word), word, number[:_WORD_CHARACTERS], codes)

    def _meaning(self, word: str) -> RequestState:
        fields, folded = self._mapping.status, word.casefold()
        for state, words in (
            (RequestState.IN_PROGRESS, fields.in_progress),
            (RequestState.COMPLETED, fields.completed),
            (RequestState.REJECTED, fields.rejected),
        ):
            if folded in words:
                return state
        return RequestState.UNKNOWN

    def _post(
        self, path: str, body: Mapping[str, object], values: Mapping[str, str | int], reference: tuple[str, ...]
    ) -> tuple[OrderAnswer, object]:
        """Post once. Raises what MimecastCalls.post_once raises when surely nothing was done."""
        try:
            reply = self._calls.post_once(path, filled(body, values), permission=PARTNER)
        except (WriteOutcomeUnknown, ReplyUnreadable, UnsafeAddress) as trouble:
            return OrderAnswer(AnswerKind.UNKNOWN, trouble.message), None
        return _judged(reply, path, reference)


def open_mimecast_orders(
    url: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    mapping: OrderMapping | None = None,
    limits: HttpLimits | None = None,
) -> MimecastOrders:
    """The order routes of a gateway, ready to be called; nothing is sent yet. Raises UnsafeAddress, InputInvalid."""
    base = parse_mimecast_address(url, allow_loopback=allow_loopback)
    pace = Pace(REQUESTS_PER_SECOND, PARALLEL_CALLS)
    client = HttpClient(base, integration=INTEGRATION, clock=clock, limits=limits, pace=pace)
    calls = MimecastCalls(client, TokenSource(client, parse_credential(fields), clock))
    return MimecastOrders(calls, mapping or shipped_order_mapping())


def _values(ask: OrderAsk, *, quote_id: str) -> dict[str, str | int]:
    """A contract's reference is ``CONTRACT/PRODUCT``, as the reads of contracts make it."""
    return {
        "account_code": str(ask.vendor_id),
        "product_id": str(ask.service_id),
        "contract_id": ask.contract_reference.rpartition("/")[0],
        "expected": ask.expected,
        "target": ask.target,
        "delta": ask.delta,
        "po_number": ask.po_number,
        "reference": ask.reference,
        "quote_id": quote_id,
    }


def _judged(reply: HttpReply, path: str, reference: tuple[str, ...]) -> tuple[OrderAnswer, object]:
    """What a whole answer means. A failure under HTTP 200 is a no only where the vendor does not call it passing."""
    if not reply.succeeded:
        codes = ", ".join(fault.code for fault in faults_of_reply(reply))
        said = f"Mimecast refuses {path} (status {reply.status}{f', {codes}' if codes else ''})"
        return OrderAnswer(AnswerKind.REFUSED, said), None
    try:
        document = reply.json()
    except ReplyUnreadable as unreadable:
        return OrderAnswer(AnswerKind.UNKNOWN, unreadable.message), None
    faults, told_status = faults_in(document), body_status(document) or 0
    if faults or told_status >= 400:
        codes = ", ".join(fault.code for fault in faults)
        passing = any(fault.passes for fault in faults) or told_status == 429 or told_status >= 500
        said = f"Mimecast failed at {path} under HTTP {reply.status} ({codes or told_status})"
        return OrderAnswer(AnswerKind.UNKNOWN if passing else AnswerKind.REFUSED, said), document
    found = identifier(find_told(document, reference)[1]) or ""
    return OrderAnswer(AnswerKind.TAKEN, f"Mimecast took {path} (status {reply.status})", found), document
