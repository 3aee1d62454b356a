"""Durable executions on one machine: AWS's own local runner, with its executions in a SQLite file.

Method: the runner's parts are put together as its own in-process runner does it; what was under way when the last
process ended is taken up from the file. Must not: run two executions of one name, or lose one to a ``kill -9``.

The runner keeps executions but does not take them up by itself after a restart: its timers and dispatches are in
memory. The file has all that is needed: which calls were begun, with what payload, and which waits are open.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    OperationAction,
    OperationStatus,
    OperationType,
)
from aws_durable_execution_sdk_python_testing.checkpoint.processor import CheckpointProcessor
from aws_durable_execution_sdk_python_testing.child_dispatcher import FunctionRegistry, InProcessChildDispatcher
from aws_durable_execution_sdk_python_testing.client import InMemoryServiceClient
from aws_durable_execution_sdk_python_testing.clock import RealClock
from aws_durable_execution_sdk_python_testing.exceptions import ResourceNotFoundException
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.executor import Executor
from aws_durable_execution_sdk_python_testing.invoker import InProcessInvoker
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput
from aws_durable_execution_sdk_python_testing.scheduler import Scheduler
from aws_durable_execution_sdk_python_testing.stores.sqlite import SQLiteExecutionStore
from aws_durable_execution_sdk_python_testing.worker.registry import ExecutionRegistry

from local.front_door.functions import FunctionFailed, LocalFunctions
from local.template import PSEUDO_PARAMETERS, FunctionDefinition
from trueup.domain.errors import Conflict, NotFound

INVOCATION_SECONDS = 900
"""The longest a single call of any function may take, as on Lambda."""

logger = logging.getLogger(__name__)


class Executions:
    """The executions of the template's one durable function."""

    def __init__(self, store_file: Path, functions: LocalFunctions, durable: FunctionDefinition) -> None:
        self._functions = functions
        self._durable = durable
        self._starting = threading.Lock()
        self._store = SQLiteExecutionStore.create_and_initialize(store_file)
        store_file.chmod(0o600)
        self._scheduler = Scheduler()
        self._registry = ExecutionRegistry(self._store, self._scheduler)
        clock = RealClock()
        checkpoints = CheckpointProcessor(store=self._store, scheduler=self._scheduler, clock=clock)
        region = PSEUDO_PARAMETERS["AWS::Region"]
        targets = FunctionRegistry()
        for definition in functions:
            if definition is not durable:
                targets.register(definition.name, self._target(definition.capability), is_durable=False)
        self._executor = Executor(
            store=self._store,
            scheduler=self._scheduler,
            invoker=InProcessInvoker(
                self._handler(), InMemoryServiceClient(checkpoints, self._registry), region=region
            ),
            checkpoint_processor=checkpoints,
            invocation_timeout_seconds=INVOCATION_SECONDS,
            registry=self._registry,
            clock=clock,
            child_dispatcher=InProcessChildDispatcher(
                targets, lambda request: None, invocation_timeout_seconds=INVOCATION_SECONDS, clock=clock
            ),
            region=region,
        )
        checkpoints.add_execution_observer(self._executor)
        checkpoints.set_chained_invoke_preflight(self._executor.preflight_chained_invoke)

    def start(self) -> int:
        """Begin to work, with what was under way when the last process ended. Returns how many executions that is."""
        self._scheduler.start()  # type: ignore[no-untyped-call]  # the runner leaves it without types
        self.end_overdue()
        unfinished = self._unfinished()
        for execution in unfinished:
            self._take_up(execution)
        return len(unfinished)

    def stop(self) -> None:
        """Stop working; what is under way is taken up by the next start."""
        self._executor.shutdown()
        self._registry.shutdown()
        self._scheduler.stop()  # type: ignore[no-untyped-call]  # the runner leaves it without types
        self._scheduler._loop.close()  # which its own stop leaves open

    def begin(self, payload: str, *, name: str | None = None) -> str:
        """Start an execution; returns its id. The same name with the same payload gives the execution there is.

        Raises Conflict when the name was used with another payload, as Lambda does while it keeps the execution.
        """
        with self._starting:
            if name is not None:
                found, _ = self._store.query(execution_name=name, limit=1)
                if found:
                    if _same(found[0].start_input.input, payload):
                        return str(found[0].durable_execution_arn)
                    raise Conflict(f"the execution {name} was started with another payload")
            started = self._executor.start_execution(
                StartDurableExecutionInput(
                    account_id=PSEUDO_PARAMETERS["AWS::AccountId"],
                    function_name=self._durable.name,
                    function_qualifier="live",
                    execution_name=name or str(uuid.uuid4()),
                    execution_timeout_seconds=self._durable.durable["ExecutionTimeout"],
                    execution_retention_period_days=self._durable.durable["RetentionPeriodInDays"],
                    invocation_id=str(uuid.uuid4()),
                    input=payload,
                )
            )
        return str(started.execution_arn)

    def status(self, execution_id: str) -> str:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or STOPPED. Raises NotFound."""
        with _known(execution_id):
            return str(self._executor.get_execution_details(execution_id).status)

    def answer(self, callback_id: str, result: bytes) -> None:
        """Complete a wait for a callback. Raises NotFound when nothing waits for it any more."""
        with _known(callback_id):
            self._executor.send_callback_success(callback_id, result)

    def refuse(self, callback_id: str, message: str) -> None:
        """Fail a wait for a callback. Raises NotFound when nothing waits for it any more."""
        with _known(callback_id):
            self._executor.send_callback_failure(callback_id, ErrorObject.from_message(message))

    def end_overdue(self) -> None:
        """End what has run out of time while no process was there to watch it."""
        now = RealClock().now()
        for execution in self._unfinished():
            started = execution.get_operation_execution_started().start_timestamp
            limit = execution.start_input.execution_timeout_seconds
            if started is not None and started + timedelta(seconds=limit) < now:
                message = f"Execution timed out after {limit} seconds."
                self._executor.on_timed_out(execution.durable_execution_arn, ErrorObject.from_message(message))
                continue
            for callback_id in _overdue_callbacks(execution, now):
                with contextlib.suppress(NotFound):  # answered this very moment
                    self.refuse(callback_id, "nobody answered in time")

    def _unfinished(self) -> list[Execution]:
        return list(self._store.query(status_filter="RUNNING")[0])

    def _take_up(self, execution: Execution) -> None:
        """Run the handler again, and send the calls again that were begun and have no answer.

        To the runner, an invocation that was cut off is one that a pause held back; lifting the pause starts it.
        """
        execution.pause()
        execution.defer_invocation()
        self._store.save(execution)
        for operation_id, call in _unanswered_calls(execution):
            self._executor.on_chained_invoke_started(execution.durable_execution_arn, operation_id, *call)
        self._executor.resume_execution(execution.durable_execution_arn)

    def _handler(self) -> Callable[[Any, Any], Any]:
        capability = self._durable.capability

        def handle(event: Any, _: Any) -> Any:
            return self._functions.handler(capability)(event, self._functions.context(capability))

        return handle

    def _target(self, capability: str) -> Callable[[Any, Any], Any]:
        def call(event: Any, _: Any) -> Any:
            try:
                return self._functions.call(capability, event)
            except FunctionFailed as failed:
                logger.warning("%s failed: %s", capability, failed)
                raise

        return call


@contextlib.contextmanager
def _known(name: str) -> Iterator[None]:
    try:
        yield
    except ResourceNotFoundException as unknown:
        raise NotFound(f"nothing waits or runs under {name[:60]!r}") from unknown


def _unanswered_calls(execution: Execution) -> Iterator[tuple[str, tuple[str, str | None, str | None]]]:
    """Calls of other functions without an answer: operation id, then function, tenant id and payload."""
    sent = {
        update.operation_id: update
        for update in execution.updates
        if update.operation_type is OperationType.CHAINED_INVOKE and update.action is OperationAction.START
    }
    for operation in execution.operations:
        update = sent.get(operation.operation_id)
        if operation.status is OperationStatus.STARTED and update is not None and update.chained_invoke_options:
            options = update.chained_invoke_options
            yield operation.operation_id, (options.function_name, options.tenant_id, update.payload)


def _overdue_callbacks(execution: Execution, now: datetime) -> Iterator[str]:
    limits = {
        update.operation_id: update.callback_options.timeout_seconds
        for update in execution.updates
        if update.operation_type is OperationType.CALLBACK and update.callback_options is not None
    }
    for operation in execution.operations:
        limit = limits.get(operation.operation_id, 0)
        if (
            operation.operation_type is OperationType.CALLBACK
            and operation.status is OperationStatus.STARTED
            and operation.callback_details is not None
            and operation.start_timestamp is not None
            and limit > 0
            and operation.start_timestamp + timedelta(seconds=limit) < now
        ):
            yield operation.callback_details.callback_id


def _same(kept: str | None, given: str) -> bool:
    try:
        return bool(json.loads(kept or "{}") == json.loads(given))
    except ValueError:
        return kept == given
