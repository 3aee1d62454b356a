"""Where this machine keeps its state, the environment the product sees, and the lock that lets one writer in.

Method: one folder (``TRUEUP_HOME``, else ``.local`` in the project) that only its owner can read; the settings come
from template.yaml for the tenant ``local``. Must not: leave a lock behind; the system frees it however we end.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trueup.domain.errors import ConfigurationInvalid, LeaseHeld

ROOT = Path(__file__).resolve().parents[2]
HOME_VARIABLE = "TRUEUP_HOME"

TENANT_CHOICES = (
    "TRUEUP_TIME_ZONE",
    "TRUEUP_CURRENCY",
    "TRUEUP_BILLING_BASIS",
    "TRUEUP_BILL_ON_ORDER",
    "TRUEUP_CONNECTWISE_HOSTS",
    "TRUEUP_HALOPSA_HOSTS",
    "TRUEUP_GUARD_INCREASE_PERCENT",
    "TRUEUP_GUARD_INCREASE_SEATS",
    "TRUEUP_AUTO_APPLY_SEATS",
    "TRUEUP_ORDER_CHASE_DAYS",
    "TRUEUP_ORDER_EXPIRY_DAYS",
    "TRUEUP_ORDER_CHANGE_SEATS",
    "TRUEUP_ORDER_CHANGE_PERCENT",
    "TRUEUP_ORDER_MINIMUMS",
    "TRUEUP_ORDER_LEAD",
    "TRUEUP_ORDERS_API",
)
"""Settings that are parameters of a deployment: what the caller's environment says wins over the template's default."""

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_DYNAMODB"


@dataclass(frozen=True, slots=True)
class Home:
    """The state folder of one person on one machine."""

    path: Path

    @classmethod
    def chosen(cls, environment: Mapping[str, str] | None = None) -> Home:
        """What ``TRUEUP_HOME`` says, else ``.local`` in the project. Nothing is created yet."""
        said = (environment if environment is not None else os.environ).get(HOME_VARIABLE, "")
        return cls(Path(said).expanduser().absolute() if said else ROOT / ".local")

    @property
    def vault(self) -> Path:
        return self.path / "vault"

    @property
    def log(self) -> Path:
        return self.path / "trueup.log"

    def prepare(self) -> None:
        """Make the folder, for its owner only. Raises ConfigurationInvalid when it cannot be used."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.stat().st_uid == os.getuid():
                self.path.chmod(0o700)
            writable = os.access(self.path, os.R_OK | os.W_OK | os.X_OK)
        except OSError as unusable:
            raise self._unusable(unusable.strerror or type(unusable).__name__) from unusable
        if not writable:
            raise self._unusable("it cannot be written")

    def _unusable(self, why: str) -> ConfigurationInvalid:
        return ConfigurationInvalid(
            f"the state folder {self.path} cannot be used: {why}",
            remedy=f"Set {HOME_VARIABLE} to a folder that you can write to.",
        )

    @property
    def is_served(self) -> bool:
        """Whether a front door is at work in this folder: it holds its own lock for as long as it lives."""
        try:
            descriptor = os.open(self.path / "front_door.lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Hold the place of the one writer of this folder. Raises LeaseHeld naming the process that has it.

        A process that is killed frees it at once, because the lock is the operating system's.
        """
        self.prepare()
        descriptor = os.open(self.path / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _held(os.pread(descriptor, 500, 0)) from None
            note = json.dumps({"pid": os.getpid(), "command": what}).encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, note, 0)
            yield
        finally:
            os.close(descriptor)


def _held(note: bytes) -> LeaseHeld:
    try:
        kept = json.loads(note)
        holder, command = str(kept["pid"]), str(kept["command"])
    except (ValueError, KeyError, TypeError):
        holder, command = "unknown", "a command"  # it has the lock and has not written its note yet
    return LeaseHeld(
        f"{command} (process {holder}) is at work in this state folder",
        holder=holder,
        remedy="Wait until it is done, or end it; what it has done is kept.",
    )


def actor() -> str:
    """Whose decisions these are: the person who is signed in to this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def process_environment(home: Home, endpoint: str, *, is_own_store: bool) -> dict[str, str]:
    """What the layer reads its settings from, for one machine; the caller's choices are in it already.

    An empty value means that the variable must not be set.
    """
    from local.template import PSEUDO_PARAMETERS, local_deployment

    own_keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    none_of_theirs = {"AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": ""}
    region = PSEUDO_PARAMETERS["AWS::Region"]
    chosen = {name: os.environ[name] for name in TENANT_CHOICES if os.environ.get(name)}
    credentials = own_keys | none_of_theirs
    if not is_own_store:
        # A store of the caller's own may want the caller's own credentials; made-up ones serve where there are none.
        credentials = {name: os.environ.get(name) or value for name, value in own_keys.items()}
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or region
    return {
        **local_deployment().shared_environment(),
        **chosen,
        "TRUEUP_VAULT_DIRECTORY": str(home.vault),
        # One machine has no topic to send e-mail through; its webhooks and tickets are those of everywhere.
        "TRUEUP_NOTICE_TOPIC": "",
        "TRUEUP_PORTAL_URL": os.environ.get("TRUEUP_PORTAL_URL", ""),
        "TRUEUP_ROLES_ARE_CHECKED": "false",
        "TRUEUP_TWO_PERSON_APPROVAL": "false",
        **credentials,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        ENDPOINT_VARIABLE: endpoint,
    }


@contextmanager
def environment_of(values: Mapping[str, str]) -> Iterator[None]:
    """Have these variables in this process for a while (empty: not set), then everything as it was."""
    before = {name: os.environ.get(name) for name in values}
    try:
        for name, value in values.items():
            _set(name, value or None)
        yield
    finally:
        for name, old in before.items():
            _set(name, old)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


class _RedactingFormatter(logging.Formatter):
    """Takes credentials out of the finished text, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        from trueup.adapters.redaction import redact

        return redact(super().format(record))


def log_to(home: Home) -> None:
    """Send what the product logs to the state folder, readable by its owner only, and nothing to the terminal."""

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags, 0o600)

    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _LogFile):
            root.removeHandler(handler)
            handler.close()
    handler = _LogFile(open(home.log, "a", encoding="utf-8", errors="backslashreplace", opener=opener))  # noqa: SIM115 - closed with the handler
    handler.setFormatter(_RedactingFormatter("%(asctime)s %(levelname)s %(process)d %(name)s %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.WARNING)


class _LogFile(logging.StreamHandler):  # type: ignore[type-arg]
    """The handler of ``log_to``; a kind of its own so that a second call replaces the first."""

    def close(self) -> None:
        self.stream.close()
        super().close()
