"""The workflow as a Lambda durable function: started by an asynchronous call, told to go on by a callback."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from trueup.domain.errors import PlanNotReady, StateUnavailable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class LambdaWorkflow:
    """Implements Workflow. ``function`` is the qualified name of the durable function.

    Lambda runs at most one durable execution of a name: a second start with the same name and payload is answered with
    the first one, which makes a duplicate trigger harmless.
    """

    def __init__(self, client: LambdaClient, *, function: str) -> None:
        self._client = client
        self._function = function

    def start(self, run_id: str) -> None:
        """See Workflow.start. Raises StateUnavailable when Lambda does not take the call."""
        self._invoke(f"run-{run_id}", {"run_id": run_id})

    def apply(self, plan_id: str, checksum: str, actor: str, *, attempt: int) -> None:
        """See Workflow.apply. An execution's name can be used once, so a try after a failure needs one of its own."""
        self._invoke(
            f"apply-{plan_id}-{checksum[:8]}-{attempt}", {"plan_id": plan_id, "checksum": checksum, "actor": actor}
        )

    def go_on(self, callback_id: str, checksum: str, actor: str) -> None:
        """See Workflow.go_on. Raises PlanNotReady when that wait is over."""
        try:
            self._client.send_durable_execution_callback_success(
                CallbackId=callback_id, Result=json.dumps({"checksum": checksum, "actor": actor}).encode()
            )
        except ClientError as refused:
            if refused.response["Error"]["Code"] in {"CallbackTimeoutException", "ResourceNotFoundException"}:
                raise PlanNotReady("the run no longer waits for this", remedy="Apply the plan by itself.") from refused
            raise StateUnavailable("the workflow could not be told to go on") from refused

    def _invoke(self, name: str, event: dict[str, str]) -> None:
        try:
            self._client.invoke(
                FunctionName=self._function,
                InvocationType="Event",
                DurableExecutionName=re.sub(r"[^A-Za-z0-9_-]", "-", name)[:64],
                Payload=json.dumps(event).encode(),
            )
        except ClientError as refused:
            if refused.response["Error"]["Code"] == "DurableExecutionAlreadyStartedException":
                return
            raise StateUnavailable("the workflow could not be started") from refused
