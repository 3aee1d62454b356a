"""Sends one write to ConnectWise once, in the words that its answers to a write have. It must not send twice."""

from __future__ import annotations

from functools import partial

from trueup.adapters.connectwise.replies import (
    AGREEMENTS_ADD_PERMISSION,
    AGREEMENTS_EDIT_PERMISSION,
    vendor_message,
)
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.http import HttpReply, RetryRule
from trueup.adapters.write_sending import AnswerWords, Sent, judged, send_once

_PERMISSIONS = {"PATCH": AGREEMENTS_EDIT_PERMISSION, "POST": AGREEMENTS_ADD_PERMISSION}


def write_once(session: ConnectWiseSession, method: str, path: str, body: object) -> Sent:
    """Send a write once. Raises as ``send_once``."""
    words = AnswerWords(
        psa="ConnectWise",
        meanings={
            401: "ConnectWise does not accept the credential",
            403: f"the API member's security role lacks {_PERMISSIONS[method]}",
            404: "the line or its agreement is gone",
        },
        edited="the line",
    )

    def said_by(reply: HttpReply) -> str:
        return vendor_message(reply, secrets=session.secrets).sentence()

    send = partial(session.send, method, path, json_body=body, retry=RetryRule.ONCE)
    return send_once(send, partial(judged, words=words, said_by=said_by))
