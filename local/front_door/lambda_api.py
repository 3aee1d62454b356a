"""The part of the Lambda API that the product calls, on loopback: invoke a function, answer a waiting execution.

Method: boto3's own requests are understood, and answered as Lambda answers them. Must not: be open to a web page or to
another user of this machine; the address has a part that only this process knows.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import secrets
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

from local.front_door.executions import Executions
from local.front_door.functions import FunctionFailed, LocalFunctions
from local.front_door.http_event import WebReply, WebRequest
from trueup.domain.errors import Conflict, NotFound

_INVOKE = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations")
_CALLBACK = re.compile(r"/2025-12-01/durable-execution-callbacks/(?P<id>.+)/(?P<verb>succeed|fail)")
_EXECUTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
BACKGROUND_CALLS = 4

logger = logging.getLogger(__name__)


class LambdaApi:
    """Answers requests whose path begins with ``/<key>``; everything else is refused."""

    def __init__(self, functions: LocalFunctions, executions: Executions, durable_capability: str) -> None:
        self._functions = functions
        self._executions = executions
        self._durable = durable_capability
        self._key = secrets.token_urlsafe(24)
        self._background = ThreadPoolExecutor(BACKGROUND_CALLS, thread_name_prefix="event-invoke")

    @property
    def path(self) -> str:
        """What the address of this API ends with."""
        return f"/{self._key}"

    def stop(self) -> None:
        self._background.shutdown(wait=False, cancel_futures=True)

    def call_later(self, capability: str, event: Any) -> None:
        """Call a function without waiting for it; what it raises goes to the log, as nobody is there to hear it."""

        def call() -> None:
            try:
                self._functions.call(capability, event)
            except FunctionFailed as failed:
                logger.error("%s failed: %s", capability, failed)

        self._background.submit(call)

    def answer(self, request: WebRequest) -> WebReply:
        """The reply to one request of an AWS client."""
        path = request.target.partition("?")[0]  # a Qualifier names an alias; there is one of each function here
        if not secrets.compare_digest(path[: len(self.path)], self.path) or "origin" in request.headers:
            return _error(403, "AccessDeniedException", "this address is for the local functions only")
        rest = path[len(self.path) :]
        try:
            if request.method == "POST" and (found := _INVOKE.fullmatch(rest)):
                capability = self._functions.capability(unquote(found["name"]))
                return self._invoke(capability, request)
            if request.method == "POST" and (found := _CALLBACK.fullmatch(rest)):
                return self._callback(unquote(found["id"]), found["verb"], request.body)
        except NotFound as unknown:
            return _error(404, "ResourceNotFoundException", unknown.message)
        except Conflict as taken:
            return _error(409, "DurableExecutionAlreadyStartedException", taken.message)
        return _error(404, "UnknownOperationException", "this part of the Lambda API is not on this machine")

    def _invoke(self, capability: str, request: WebRequest) -> WebReply:
        payload = request.body.decode() or "{}"
        try:
            event = json.loads(payload)
        except ValueError:
            return _error(400, "InvalidRequestContentException", "the payload is not JSON")
        is_event = request.headers.get("x-amz-invocation-type", "RequestResponse") == "Event"
        if capability == self._durable:
            return self._start(payload, request.headers, is_event=is_event)
        if is_event:
            self.call_later(capability, event)
            return WebReply(202, (), b"")
        try:
            answer = self._functions.call(capability, event)
        except FunctionFailed as failed:
            headers = (("x-amz-function-error", "Unhandled"), ("x-amz-executed-version", "$LATEST"))
            return WebReply(200, headers, json.dumps(failed.document).encode())
        return WebReply(200, (("x-amz-executed-version", "$LATEST"),), json.dumps(answer).encode())

    def _start(self, payload: str, headers: Mapping[str, str], *, is_event: bool) -> WebReply:
        if not is_event:
            return _error(
                400,
                "InvalidParameterValueException",
                "a durable function with this execution timeout can only be invoked asynchronously",
            )
        name = headers.get("x-amz-durable-execution-name")
        if name is not None and not _EXECUTION_NAME.fullmatch(name):
            return _error(400, "ValidationException", "the name of the execution has characters it may not have")
        execution_id = self._executions.begin(payload, name=name)
        return WebReply(202, (("x-amz-durable-execution-arn", execution_id),), b"")

    def _callback(self, callback_id: str, verb: str, body: bytes) -> WebReply:
        try:
            base64.b64decode(callback_id, validate=True)
        except (binascii.Error, ValueError):
            return _error(400, "InvalidParameterValueException", "this is no callback id")
        if verb == "succeed":
            self._executions.answer(callback_id, body)
        else:
            self._executions.refuse(callback_id, _message(body))
        return WebReply(200, (), b"{}")


def _message(body: bytes) -> str:
    try:
        document: Any = json.loads(body or b"{}")
    except ValueError:
        document = {}
    return str(document.get("ErrorMessage", "refused")) if isinstance(document, dict) else "refused"


def _error(status: int, code: str, message: str) -> WebReply:
    headers = (
        ("x-amzn-errortype", code),
        ("x-amzn-requestid", str(uuid.uuid4())),
        ("content-type", "application/json"),
    )
    return WebReply(status, headers, json.dumps({"Type": "User", "Message": message, "message": message}).encode())
