"""Hints of callbacks in an SQS queue, from which the consumer is called. Must not: hold anything but ids and a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from trueup.domain.callbacks import CallbackHint
from trueup.domain.errors import QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

BATCH = 10
SCHEMA = 1


class SqsCallbackQueue:
    """Implements CallbackQueue. A hint that is put twice is acted on twice, which changes nothing."""

    def __init__(self, client: SQSClient, *, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, hints: tuple[CallbackHint, ...]) -> None:
        for start in range(0, len(hints), BATCH):
            some = hints[start : start + BATCH]
            try:
                reply = self._client.send_message_batch(
                    QueueUrl=self._queue_url,
                    Entries=[{"Id": str(number), "MessageBody": written(hint)} for number, hint in enumerate(some)],
                )
            except (ClientError, BotoCoreError) as refused:
                raise QueueUnavailable("the queue of callbacks did not take the message") from refused
            if reply.get("Failed"):
                raise QueueUnavailable(f"the queue of callbacks did not take {len(reply['Failed'])} hints")


def written(hint: CallbackHint) -> str:
    """One hint as the queue holds it; trueup.api.events reads it."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "psa": hint.psa.value,
            "message_id": hint.message_id,
            "subject": hint.subject.value,
            "record_id": hint.record_id,
            "changed_at": None if hint.changed_at is None else hint.changed_at.isoformat(),
            "deleted": hint.deleted,
        }
    )
