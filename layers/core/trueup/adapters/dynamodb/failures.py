"""What DynamoDB's refusals mean: try again, a condition that did not hold, or the end.

Must not: decide what a failed condition means for the record; the store that set it does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from trueup.adapters.dynamodb.conditions import ConditionsFailed
from trueup.domain.errors import ConfigurationInvalid, RecordTooLarge, StateTrouble, StateUnavailable, TrueupError


class _Reason(StrEnum):
    CONDITION = "ConditionalCheckFailed"
    CONFLICT = "TransactionConflict"
    THROTTLED = "ThrottlingError"
    THROUGHPUT = "ProvisionedThroughputExceeded"
    NONE = "None"


_PASSING = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "InternalServerError",
        "InternalFailure",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "TransactionInProgressException",
        "TransactionConflictException",
        "ReplicatedWriteConflictException",
    }
)
_NOT_ALLOWED = frozenset(
    {
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
    }
)


def meaning(error: ClientError) -> TrueupError | None:
    """The error to raise, or None when the same call may succeed if it is made again."""
    response: dict[str, Any] = dict(error.response)
    code = str(response.get("Error", {}).get("Code", ""))
    text = str(response.get("Error", {}).get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "TransactionCanceledException":
        return _cancelled(response)
    if code == "ConditionalCheckFailedException":
        return ConditionsFailed(frozenset({0}))
    if code in _PASSING or (status >= 500 and code not in _NOT_ALLOWED):
        return None
    if code == "ResourceNotFoundException":
        return ConfigurationInvalid(
            "the table does not exist", remedy="Deploy the stack, or correct the table's name in the settings."
        )
    if code in _NOT_ALLOWED:
        return ConfigurationInvalid(
            f"the table may not be used: {code} on {error.operation_name}",
            remedy="Give this function's role the action named on the table and its key.",
        )
    if "KMS" in code or "KMS" in text:
        return StateUnavailable(
            f"the table's key cannot be used: {code}", remedy="Enable the KMS key of the table; nothing was stored."
        )
    if code == "ItemCollectionSizeLimitExceededException" or "size has exceeded" in text:
        return RecordTooLarge("a record is larger than the table takes; nothing was stored")
    return StateTrouble(f"the table refused {error.operation_name}: {code} {text[:200]}")


def _cancelled(response: dict[str, Any]) -> TrueupError | None:
    """One meaning for the reasons of all operations of a transaction; the least hopeful reason wins.

    What can never succeed is raised even when other operations were only throttled. A failed condition comes before a
    passing conflict: the record must be read again in either case.
    """
    reasons = [str(reason.get("Code") or _Reason.NONE) for reason in response.get("CancellationReasons", ())]
    messages = [str(reason.get("Message") or "") for reason in response.get("CancellationReasons", ())]
    known = {reason.value for reason in _Reason}
    for reason, message in zip(reasons, messages, strict=True):
        if reason == "ItemCollectionSizeLimitExceeded" or "size has exceeded" in message:
            return RecordTooLarge("a record is larger than the table takes; nothing was stored")
        if reason not in known:
            return StateTrouble(f"the table refused a transaction: {reason} {message[:200]}")
    failed = frozenset(place for place, reason in enumerate(reasons) if reason == _Reason.CONDITION)
    if failed:
        return ConditionsFailed(failed)
    if not reasons:
        return StateTrouble("the table cancelled a transaction and did not say why")
    return None
