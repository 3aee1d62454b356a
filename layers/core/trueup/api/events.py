"""The events that functions are called with, checked at the door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from trueup.domain.callbacks import CallbackHint, CallbackSubject
from trueup.domain.errors import InputInvalid
from trueup.domain.integrations import IntegrationName
from trueup.domain.notices import NoticeKind

RunId = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{3,}$")]
Actor = Annotated[str, Field(min_length=1, max_length=200)]


class Event(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    @classmethod
    def read[Kind: Event](cls: type[Kind], event: dict[str, Any]) -> Kind:
        """The event checked. Raises InputInvalid naming the field."""
        try:
            return cls.model_validate(event)
        except ValidationError as bad:
            first = bad.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "event"
            raise InputInvalid(f"{field}: {first['msg']}", field=field, remedy="See the files in events/.") from bad


class ValidateEvent(Event):
    """Check one integration, or all that are connected."""

    name: IntegrationName | None = None
    trigger: Literal["schedule", "person"] = "person"


class SyncEvent(Event):
    """Read one side for a run; call again while ``done`` is false.

    ``accept_drop`` adds a person's word for this call; the run may hold it as well.
    """

    run_id: RunId
    actor: Actor
    accept_drop: bool = False


class MatchEvent(Event):
    run_id: RunId


class RunEvent(Event):
    """One step of a run, for whoever carries the run out."""

    run_id: RunId
    actor: Actor


class NotifyEvent(Event):
    """Tell people of a run: ``kind`` is one that is said of runs."""

    kind: NoticeKind
    run_id: RunId


class ReconcileEvent(RunEvent):
    """Compare what the run has read."""


class ApplyEvent(Event):
    """Apply an approved plan; call again while ``done`` is false.

    ``owner`` names who asks: the same one goes on at once after a call of its own was cut off, another one waits.
    """

    plan_id: Annotated[str, Field(min_length=1, max_length=64)]
    checksum: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    actor: Actor
    owner: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class MonthlyEvent(Event):
    """One of three: the schedule fired, a run that exists is to be carried out, or an approved plan is to be
    applied.
    """

    trigger: Literal["schedule"] | None = None
    scheduled_time: AwareDatetime | None = None
    run_id: RunId | None = None
    plan_id: str | None = None
    checksum: str | None = None
    actor: Actor | None = None

    @model_validator(mode="after")
    def _one_meaning(self) -> MonthlyEvent:
        meanings = (self.trigger is not None, self.run_id is not None, self.plan_id is not None)
        if sum(meanings) != 1:
            raise ValueError("give exactly one of trigger, run_id and plan_id")
        if self.trigger is not None and self.scheduled_time is None:
            raise ValueError("a schedule gives its scheduled_time")
        if self.plan_id is not None and (self.checksum is None or self.actor is None):
            raise ValueError("a plan is applied by its checksum and an actor")
        return self

    @property
    def scheduled_for(self) -> datetime | None:
        return None if self.scheduled_time is None else self.scheduled_time.astimezone(UTC)


class _QueuedHint(BaseModel):
    """One hint as the queue holds it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: Literal[1] = Field(alias="schema")
    psa: IntegrationName
    message_id: Annotated[str, Field(max_length=500)]
    subject: CallbackSubject
    record_id: Annotated[str, Field(min_length=1, max_length=200)]
    changed_at: AwareDatetime | None = None
    deleted: bool = False

    @property
    def hint(self) -> CallbackHint:
        return CallbackHint(
            self.psa, self.message_id, self.subject, self.record_id, self.changed_at, deleted=self.deleted
        )


@dataclass(frozen=True, slots=True)
class QueuedHints:
    """The hints of one batch of the queue with their messages; ``unreadable`` are messages that hold none."""

    hints: tuple[tuple[str, CallbackHint], ...]
    unreadable: tuple[str, ...]

    @classmethod
    def read(cls, event: dict[str, Any]) -> QueuedHints:
        """Raises InputInvalid when it is no event of a queue."""
        hints: list[tuple[str, CallbackHint]] = []
        unreadable: list[str] = []
        try:
            for record in event["Records"]:
                message_id = str(record["messageId"])
                try:
                    hints.append((message_id, _QueuedHint.model_validate_json(str(record["body"])).hint))
                except ValidationError:
                    unreadable.append(message_id)
        except (KeyError, TypeError) as bad:
            raise InputInvalid(
                "this is no event of a queue", field="Records", remedy="See the files in events/."
            ) from bad
        return cls(tuple(hints), tuple(unreadable))

    def by_record(self) -> tuple[tuple[CallbackHint, tuple[str, ...]], ...]:
        """One hint for each record with the messages that told of it: the newest, or one that gives no time."""
        told: dict[tuple[IntegrationName, CallbackSubject, str], list[tuple[str, CallbackHint]]] = {}
        for message_id, hint in self.hints:
            told.setdefault((hint.psa, hint.subject, hint.record_id), []).append((message_id, hint))
        return tuple(
            (max((hint for _, hint in items), key=_recency), tuple(message_id for message_id, _ in items))
            for items in told.values()
        )


def _recency(hint: CallbackHint) -> datetime:
    return hint.changed_at or datetime.max.replace(tzinfo=UTC)
