"""The functions of the template in this one process: loaded side by side, called as Lambda calls them.

Method: each app.py is a module of its own name, loaded under its own environment; a function runs one call at a time,
as one execution environment of Lambda does, because what it is built on keeps the current event in the class.
Must not: let one function's service name or event reach another, or lose the type of an error.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from local.template import PSEUDO_PARAMETERS, FunctionDefinition, read_template
from trueup.domain.errors import ConfigurationInvalid, NotFound

OWN_VARIABLES = frozenset({"POWERTOOLS_SERVICE_NAME"})
"""Read once, when a function's module is loaded; everything else must mean the same to all functions here."""

Handler = Callable[[Any, Any], Any]


@dataclass(slots=True)
class LocalContext:
    """What Lambda tells a function about one call."""

    function_name: str
    memory_limit_in_mb: str
    invoked_function_arn: str
    log_group_name: str
    deadline_seconds: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    log_stream_name: str = "one-machine"
    client_context: None = None
    identity: None = None
    tenant_id: str | None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self.deadline_seconds - time.monotonic()) * 1000))


class FunctionFailed(Exception):  # noqa: N818 - it is what Lambda calls a function error
    """A function raised; ``document`` is what Lambda answers for it."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(str(document["errorMessage"]))
        self.document = document


class LocalFunctions:
    """Every function of the template, by capability (``vendor_sync``) or name (``trueup-local-vendor-sync``)."""

    def __init__(self, definitions: Sequence[FunctionDefinition]) -> None:
        self._definitions = {definition.capability: definition for definition in definitions}
        self._names = {definition.name: definition.capability for definition in definitions}
        self._handlers: dict[str, Handler] = {}
        self._turns = {capability: threading.Lock() for capability in self._definitions}
        self._loading = threading.Lock()

    def __iter__(self) -> Iterator[FunctionDefinition]:
        return iter(self._definitions.values())

    def capability(self, name: str) -> str:
        """The capability of a function named as the Lambda API names it: name, name:alias or ARN. Raises NotFound."""
        bare = name.rpartition(":function:")[2].partition(":")[0]
        if bare not in self._names:
            raise NotFound(f"there is no function {bare[:80]!r}", remedy="Use a name that template.yaml gives.")
        return self._names[bare]

    def definition(self, capability: str) -> FunctionDefinition:
        return self._definitions[capability]

    def handler(self, capability: str) -> Handler:
        """The function's own handler, loaded once."""
        with self._loading:
            if capability not in self._handlers:
                self._handlers[capability] = _load(self._definitions[capability])
            return self._handlers[capability]

    def context(self, capability: str, *, timeout_seconds: float | None = None) -> LocalContext:
        """A fresh context for one call that may take as long as the template says."""
        definition = self._definitions[capability]
        region, account = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
        return LocalContext(
            function_name=definition.name,
            memory_limit_in_mb=_memory_megabytes(definition),
            invoked_function_arn=f"arn:aws:lambda:{region}:{account}:function:{definition.name}",
            log_group_name=f"/aws/lambda/{definition.name}",
            deadline_seconds=time.monotonic() + (timeout_seconds or definition.timeout_seconds),
        )

    def call(self, capability: str, event: Any) -> Any:
        """Call the function with what JSON makes of the event and its answer. Raises FunctionFailed."""
        handler = self.handler(capability)
        content = json.loads(json.dumps(event))
        with self._turns[capability]:
            context = self.context(capability)
            try:
                return json.loads(json.dumps(handler(content, context)))
            except Exception as error:  # noqa: BLE001 - Lambda answers whatever a function raises; so does this
                raise FunctionFailed(_error_document(error, context.aws_request_id)) from error


def shared_environment(definitions: Sequence[FunctionDefinition]) -> dict[str, str]:
    """The variables of all functions together. Raises ConfigurationInvalid when two functions differ in one of them."""
    merged: dict[str, str] = {}
    for definition in definitions:
        for name, value in definition.environment.items():
            if name in OWN_VARIABLES:
                continue
            if merged.setdefault(name, value) != value:
                raise ConfigurationInvalid(
                    f"{name} means one thing to {definition.capability} and another to a function before it",
                    remedy="Give the variable two names in template.yaml; one machine is one process.",
                )
    return merged


def _load(definition: FunctionDefinition) -> Handler:
    module_name, _, attribute = definition.handler.rpartition(".")
    path = definition.code_directory / f"{module_name}.py"
    unique_name = f"trueup_door_{definition.capability}"
    specification = importlib.util.spec_from_file_location(unique_name, path)
    if specification is None or specification.loader is None or not path.is_file():
        raise ConfigurationInvalid(f"{definition.capability} has no {path.name}", remedy="Restore it from the project.")
    module = importlib.util.module_from_spec(specification)
    sys.modules[unique_name] = module
    with _environment({name: definition.environment[name] for name in OWN_VARIABLES & set(definition.environment)}):
        specification.loader.exec_module(module)
    handler: Handler = getattr(module, attribute)
    return handler


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _memory_megabytes(definition: FunctionDefinition) -> str:
    template = read_template()
    own = template["Resources"][definition.logical_id]["Properties"]
    return str(own.get("MemorySize", template["Globals"]["Function"].get("MemorySize", 128)))


def _error_document(error: Exception, request_id: str) -> dict[str, Any]:
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(traceback.extract_tb(error.__traceback__)),
    }
