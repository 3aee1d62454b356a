"""The whole system on one machine, until it is told to stop: store, functions, executions, schedules and the HTTP API.

Method: template.yaml says what there is; the environment of all functions is this process's. What was under way when
the last process ended goes on. Must not: run twice in one state folder, or be reached from another machine.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from local.cli.home import ENDPOINT_VARIABLE, Home, environment_of, process_environment
from local.embedded_store import running_store
from local.front_door.authorizing import Authorizing
from local.front_door.executions import Executions
from local.front_door.functions import LocalFunctions, shared_environment
from local.front_door.lambda_api import LambdaApi
from local.front_door.queues import Deliveries, LocalQueues, SqsApi
from local.front_door.schedules import Schedules
from local.front_door.server import FrontDoor, LocalServer
from local.template import LOCAL_TENANT, Deployment, read_template
from trueup import bootstrap
from trueup.domain.errors import ConfigurationInvalid, LeaseHeld

READY_FILE = "front_door.json"
BANNER = "No sign-in here: whoever can use this machine is the administrator. Only 127.0.0.1 is served."

logger = logging.getLogger("trueup.front_door")


def serve(home: Path, port: int, schedules: bool = True) -> None:
    """Serve the API on 127.0.0.1 until SIGTERM or Ctrl-C. Port 0 takes a free one; the address is printed.

    ``schedules=False`` leaves the template's time triggers out. Raises LeaseHeld when another one serves this folder,
    ConfigurationInvalid when the port is taken or a setting is wrong, and what the embedded store raises.
    """
    stop = threading.Event()
    with running_system(home, port, schedules=schedules) as url, _signals(stop):
        sys.stdout.write(f"Trueup is at {url}\n{BANNER}\n")
        sys.stdout.flush()
        while not stop.wait(3600):
            continue
        sys.stdout.write("Stopping; what is under way goes on at the next start.\n")
        sys.stdout.flush()


@contextmanager
def running_system(home: Path, port: int = 0, *, schedules: bool = True) -> Iterator[str]:
    """The system for the length of a block; gives its address."""
    with ExitStack() as stack:
        place = Home(home)
        place.prepare()
        stack.enter_context(_only_one(home))
        given = os.environ.get(ENDPOINT_VARIABLE, "")
        endpoint = stack.enter_context(running_store(home))
        deployment = chosen_deployment(os.environ)
        definitions = deployment.functions()
        functions = LocalFunctions(definitions)
        durable = next(definition for definition in definitions if definition.durable)
        environment = shared_environment(definitions) | process_environment(
            place, endpoint, is_own_store=endpoint != given
        )
        stack.enter_context(environment_of(environment | _LOCAL_SETTINGS))
        bootstrap.reset()
        stack.callback(bootstrap.reset)
        executions = Executions(home / "executions.sqlite", functions, durable)
        stack.callback(executions.stop)
        lambda_api = LambdaApi(functions, executions, durable.capability)
        lambda_server = LocalServer(0, lambda_api.answer)
        stack.callback(lambda_server.stop)
        stack.callback(lambda_api.stop)
        queues = LocalQueues(home / "queues.sqlite", deployment.queues())
        sqs_api = SqsApi(queues)
        sqs_server = LocalServer(0, sqs_api.answer)
        stack.callback(sqs_server.stop)
        endpoints = {
            "AWS_ENDPOINT_URL_LAMBDA": lambda_server.url + lambda_api.path,
            "AWS_ENDPOINT_URL_SQS": sqs_server.url + sqs_api.path,
        }
        stack.enter_context(environment_of(endpoints))
        for definition in definitions:
            functions.handler(definition.capability)
        front = _listening(port, FrontDoor(functions, Authorizing(functions, deployment.authorizers())))
        stack.callback(front.stop)
        lambda_server.start()
        sqs_server.start()
        resumed = executions.start()
        triggers = [(definition.capability, trigger) for definition in definitions for trigger in definition.queues]
        deliveries = Deliveries(queues, functions, triggers)
        deliveries.start()
        stack.callback(deliveries.stop)
        front.start()
        if resumed:
            logger.warning("%d executions go on where the last process left them", resumed)
        if schedules:
            clock = _schedules(home, functions, executions, lambda_api, durable.capability)
            clock.start()
            stack.callback(clock.stop)
        logger.warning("%s at %s", BANNER, front.url)
        stack.enter_context(_announced(home / READY_FILE, front.url))
        yield front.url


_LOCAL_SETTINGS = {"POWERTOOLS_TRACE_DISABLED": "true"}


def chosen_deployment(environment: Mapping[str, str]) -> Deployment:
    """The stack of this machine, with the parameters that the caller's environment chooses otherwise.

    Raises InputInvalid naming a parameter that the template does not take so.
    """
    variables = read_template()["Globals"]["Function"]["Environment"]["Variables"]
    chosen = {
        value["Ref"]: environment[name]
        for name, value in variables.items()
        if isinstance(value, Mapping) and value.get("Ref") in read_template()["Parameters"] and environment.get(name)
    }
    return Deployment(chosen | {"Tenant": LOCAL_TENANT})


def _schedules(
    home: Path, functions: LocalFunctions, executions: Executions, lambda_api: LambdaApi, durable: str
) -> Schedules:
    def fire(capability: str, text: str, name: str) -> None:
        logger.info("the schedule of %s fires", capability)
        if capability == durable:
            executions.begin(text, name=name[:64])
        else:
            lambda_api.call_later(capability, json.loads(text))

    return Schedules(
        [(definition.capability, item) for definition in functions for item in definition.schedules],
        state_file=home / "schedules.json",
        fire=fire,
        also=executions.end_overdue,
    )


def _listening(port: int, door: FrontDoor) -> LocalServer:
    try:
        return LocalServer(port, door.answer)
    except (OSError, OverflowError) as taken:
        raise ConfigurationInvalid(
            f"port {port} cannot be used: {taken}", remedy="Choose another one with --port, or 0 for a free one."
        ) from taken


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """One front door for each state folder; the operating system frees the lock however this process ends."""
    descriptor = os.open(home / "front_door.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LeaseHeld(
                "another trueup serve runs in this state folder", holder="trueup serve", remedy="Stop it first."
            ) from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _announced(file: Path, url: str) -> Iterator[None]:
    """Say in the state folder where the API is, for as long as it is there."""
    fresh = file.with_name(file.name + ".new")
    fresh.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n", encoding="utf-8")
    fresh.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
