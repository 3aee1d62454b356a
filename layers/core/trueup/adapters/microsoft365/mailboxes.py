"""What the mailboxes of licensed users are for, twenty in a call.

Graph answers a batch with one reply for each request in it, each with its own status and its own ``Retry-After``
(documented). The application need not have this permission: what may not be read is unknown, and never a failure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Final

from trueup.adapters.microsoft365.replies import MAILBOXES_PERMISSION
from trueup.adapters.microsoft365.session import GraphSession
from trueup.adapters.microsoft365.wire import INTEGRATION, MAILBOX_KINDS, SubReplyWire, parse_sub_replies
from trueup.adapters.outbound_address import path_segment
from trueup.adapters.retry_after import requested_wait_seconds
from trueup.domain.errors import RateLimited, VendorUnavailable
from trueup.domain.licenses import MailboxKind

BATCH_SIZE: Final = 20
"""The most requests in one batch that is documented."""

BATCHES_AT_ONCE: Final = 4
"""Batches of one tenant under way at the same time: mailboxes are most of all calls, and a batch takes long to answer.
The limit of four calls at once is one mailbox's (documented), and no mailbox is in two batches.
"""

_DOING = "reading mailbox settings"
_ASKED_TO_WAIT = (429, 503)


def read_mailbox_kinds(session: GraphSession, user_ids: Sequence[str]) -> dict[str, MailboxKind]:
    """The kind of each user's mailbox.

    Unknown is: no permission (403), no mailbox in Exchange Online (404: never made, deleted, or on a server of the
    client's own, which the answer does not tell apart, so it is not called none), one mailbox that lastingly answers
    5xx. Where a whole batch is refused for want of permission the rest is not asked. Raises RateLimited, and
    VendorUnavailable where a whole batch fails: counts must not differ from month to month by who was busy.
    """
    kinds = dict.fromkeys(user_ids, MailboxKind.UNKNOWN)
    if not kinds:
        return kinds
    first, *others = batched(user_ids, BATCH_SIZE, strict=False)
    found = _kinds_of(session, first)
    kinds.update(found or {})
    if found is not None and others:
        with ThreadPoolExecutor(max_workers=BATCHES_AT_ONCE, thread_name_prefix="mailboxes") as pool:
            for told in pool.map(lambda part: _kinds_of(session, part), others):
                kinds.update(told or {})
    return kinds


def _kinds_of(session: GraphSession, user_ids: Sequence[str]) -> dict[str, MailboxKind] | None:
    """The kinds in one batch; None where all of it is refused for want of permission."""
    replies = _read_batch(session, user_ids)
    if replies is None or all(reply.status == 403 for reply in replies.values()):
        return None
    if all(reply.status >= 500 for reply in replies.values()):
        raise VendorUnavailable(
            f"Microsoft Graph fails for every mailbox that was asked for, {_DOING}",
            integration=INTEGRATION,
            status=next(iter(replies.values())).status,
        )
    return {user_id: _kind(reply) for user_id, reply in replies.items()}


def _read_batch(session: GraphSession, user_ids: Sequence[str]) -> dict[str, SubReplyWire] | None:
    """The reply for each user; None where batches themselves are not allowed.

    What was asked to wait is asked for again, for as long as one call may take.
    """
    limits, clock = session.client.limits, session.client.clock
    found: dict[str, SubReplyWire] = {}
    waiting = list(user_ids)
    begun_seconds = clock.monotonic_seconds()
    for attempt in range(1, limits.attempts + 1):
        reply = session.batch([_request(user_id) for user_id in waiting])
        if reply.status == 403:
            return None
        document = session.checked(reply, doing=_DOING, permission=MAILBOXES_PERMISSION).json()
        told = parse_sub_replies(document, asked=waiting)
        found.update(told)
        waiting = [one for one in waiting if told[one].status >= 500 or told[one].status == 429]
        if not waiting:
            break
        wait_seconds = max(_wait_seconds(session, told[one], attempt) for one in waiting)
        spent_seconds = clock.monotonic_seconds() - begun_seconds
        if attempt == limits.attempts or spent_seconds + wait_seconds > limits.wait_budget_seconds:
            _give_up(found, waiting, wait_seconds)
            break
        clock.sleep(wait_seconds)
    return found


def _give_up(found: Mapping[str, SubReplyWire], waiting: Sequence[str], wait_seconds: float) -> None:
    if any(found[one].status in _ASKED_TO_WAIT for one in waiting):
        raise RateLimited(
            f"Microsoft Graph asked to wait, {_DOING} (status 429 in a batch)",
            integration=INTEGRATION,
            wait_seconds=wait_seconds,
        )


def _wait_seconds(session: GraphSession, reply: SubReplyWire, attempt: int) -> float:
    limits = session.client.limits
    asked = requested_wait_seconds(
        reply.header_texts,
        now=session.client.clock.now(),
        maximum_seconds=limits.wait_seconds_maximum,
    )
    doubled_seconds: float = limits.backoff_first_seconds * 2.0 ** (attempt - 1)
    return min(doubled_seconds, limits.backoff_maximum_seconds) if asked is None else asked


def _request(user_id: str) -> dict[str, str]:
    url = f"/users/{path_segment(user_id)}/mailboxSettings?$select=userPurpose"
    return {"id": user_id, "method": "GET", "url": url}


def _kind(reply: SubReplyWire) -> MailboxKind:
    purpose = reply.body.get("userPurpose") if reply.status == 200 and isinstance(reply.body, Mapping) else None
    return MAILBOX_KINDS.get(purpose, MailboxKind.UNKNOWN) if isinstance(purpose, str) else MailboxKind.UNKNOWN
