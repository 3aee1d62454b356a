"""Sends a whole recurring invoice back once, and says how that was answered. It must not send anything twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from trueup.adapters.halopsa.document import RawLine, posted
from trueup.adapters.halopsa.replies import INVOICES_EDIT_PERMISSION, said_by
from trueup.adapters.halopsa.session import HaloSession
from trueup.adapters.halopsa.wire import InvoiceWire, parse
from trueup.adapters.http import HttpReply, RetryRule
from trueup.adapters.write_sending import AnswerWords, Sent, judged, send_once
from trueup.domain.errors import ReplyUnreadable

SENDS_MAXIMUM: Final = 2
"""The first POST and one more: after an unclear answer, with the line unchanged between."""

FIRST_WAIT_SECONDS: Final = 2.0
"""HaloPSA's 429 has been seen without a word of how long to wait; others begin with five seconds."""


_WORDS = AnswerWords(
    psa="HaloPSA",
    meanings={
        401: "HaloPSA does not accept the credential",
        403: f"the application or its agent lacks {INVOICES_EDIT_PERMISSION}",
        404: "the recurring invoice is gone",
    },
    edited="the invoice",
)


def post_lines(session: HaloSession, invoice_id: int, lines: Sequence[RawLine]) -> Sent:
    """Send all lines once. Raises as ``send_once``."""
    body = posted(invoice_id, lines)

    def judge(reply: HttpReply) -> Sent:
        sent = judged(reply, _WORDS, partial(said_by, secrets=session.secrets))
        return replace(sent, edited_at=_edited_at(reply, invoice_id)) if reply.succeeded else sent

    return send_once(partial(session.send, "POST", "/RecurringInvoice", json_body=body, retry=RetryRule.ONCE), judge)


def _edited_at(reply: HttpReply, invoice_id: int) -> datetime | None:
    """The mark of the last edit in the answer, which is the header, alone or in an array; None when it shows none."""
    try:
        document = reply.json()
        first = document[0] if isinstance(document, list) and len(document) == 1 else document
        if not isinstance(first, Mapping):
            return None
        header = parse(InvoiceWire, first, source="the answer to a write")
    except ReplyUnreadable:
        return None
    return header.last_modified if header.id == invoice_id else None
