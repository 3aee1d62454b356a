"""Every error Trueup raises on purpose, by what to do about it and whose doing it is.

The tree::

    TrueupError
    ├── InputInvalid              a value somebody gave is wrong; names the field and the fix
    ├── NotFound                  the thing named does not exist for this tenant
    ├── NotAllowed                the caller's role or a two-person rule forbids it
    │   └── CallbackForged        a callback that does not prove whom it is from
    ├── TooManyRequests           the caller asked more often than its key allows
    ├── Conflict                  the thing moved since it was read
    │   ├── ChecksumMismatch      a plan was named with another checksum than it has
    │   ├── PlanNotReady          the plan is not in the state that the action needs
    │   ├── VersionConflict       a stored record changed under the writer
    │   ├── LeaseHeld             somebody else is doing this right now
    │   ├── RunReplaced           a newer run has read again what this one had read
    │   ├── MonthSealed           the month is closed, and a closed month is read-only
    │   └── MonthNotReady         something of the month is still under way, so it cannot be closed
    ├── ConfigurationInvalid      a setting, an address or a credential kind is wrong
    │   ├── UnsafeAddress         an outbound address that Trueup will not call
    │   └── NotConnected          the integration was never connected
    ├── VendorTrouble             an outside system did not give what was asked
    │   ├── VendorUnavailable     no answer, a 5xx, a broken connection
    │   ├── RateLimited           it asked us to wait
    │   ├── CredentialRejected    it does not accept the credential
    │   ├── PermissionMissing     the credential works but may not do this
    │   ├── ResourceAbsent        it says the thing does not exist
    │   ├── RequestRefused        it refused this request as invalid
    │   ├── EditConflict          it says that the record changed meanwhile
    │   ├── ReplyUnreadable       what came back is not what the protocol promises
    │   │   ├── ReplyTooLarge     more bytes than the cap
    │   │   └── SchemaUnknown     readable, but in a shape we do not know
    │   ├── ReadIncomplete        pages repeat, do not end, or do not add up
    │   ├── TenantScopeMismatch   it answered for another account than the one asked for
    │   └── WriteOutcomeUnknown   a write may or may not have been carried out
    └── StateTrouble              our own store did not do what was asked
        ├── StateUnavailable      throttled or away, after bounded retries
        ├── QueueUnavailable      a message could not be kept for later
        └── RecordTooLarge        a record that cannot be stored whole

``action`` says what to do, ``blame`` whose doing it is, ``remedy`` tells a person in one sentence.
A message never carries a secret or a whole outside body.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Action(StrEnum):
    """What the one who meets the error should do."""

    RETRY = "retry"
    WAIT = "wait"
    REAUTHENTICATE = "reauthenticate"
    FIX_CONFIGURATION = "fix_configuration"
    FIX_INPUT = "fix_input"
    ASK_PERSON = "ask_person"
    GIVE_UP = "give_up"


class Blame(StrEnum):
    """Whose doing the error is."""

    OURS = "ours"
    THEIRS = "theirs"
    CONFIGURATION = "configuration"
    CALLER = "caller"


class TrueupError(Exception):
    """Root of the tree. ``code`` is stable: programs may lean on it."""

    code: ClassVar[str] = "error"
    action: ClassVar[Action] = Action.GIVE_UP
    blame: ClassVar[Blame] = Blame.OURS
    default_remedy: ClassVar[str] = "Look at the log of this run by its id and report it."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy or self.default_remedy

    def details(self) -> dict[str, str]:
        """Further facts for a problem document; keys and values hold no secret."""
        return {}


class InputInvalid(TrueupError):
    """A value somebody gave is wrong. ``field`` names it."""

    code = "input_invalid"
    action = Action.FIX_INPUT
    blame = Blame.CALLER
    default_remedy = "Correct the named field and send it again; nothing was changed."

    def __init__(self, message: str, *, field: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.field = field

    def details(self) -> dict[str, str]:
        return {"field": self.field}


class NotFound(TrueupError):
    code = "not_found"
    action = Action.FIX_INPUT
    blame = Blame.CALLER
    default_remedy = "Check the id; list what exists first."


class NotAllowed(TrueupError):
    code = "not_allowed"
    action = Action.ASK_PERSON
    blame = Blame.CALLER
    default_remedy = "Ask somebody whose role allows it."


class CallbackForged(NotAllowed):
    """The message says nothing of what was wrong with the proof: that would help whoever forged it."""

    code = "callback_forged"
    default_remedy = "Register the callback again (trueup callbacks register) if it is your own."


class TooManyRequests(TrueupError):
    """``wait_seconds`` is when the caller may ask again."""

    code = "too_many_requests"
    action = Action.WAIT
    blame = Blame.CALLER
    default_remedy = "Wait as long as the Retry-After header says, then ask again."

    def __init__(self, message: str, *, wait_seconds: float, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.wait_seconds = wait_seconds

    def details(self) -> dict[str, str]:
        return {"wait_seconds": f"{self.wait_seconds:.0f}"}


class Conflict(TrueupError):
    code = "conflict"
    action = Action.ASK_PERSON
    blame = Blame.CALLER
    default_remedy = "Read it again and decide on what it is now."


class ChecksumMismatch(Conflict):
    code = "checksum_mismatch"
    default_remedy = "Show the plan again and approve or apply it by the checksum it has now."


class PlanNotReady(Conflict):
    code = "plan_not_ready"
    default_remedy = "Show the plan to see its state and what it needs next."


class VersionConflict(Conflict):
    code = "version_conflict"
    default_remedy = "Somebody changed it meanwhile; read it again and repeat your change if it still holds."


class LeaseHeld(Conflict):
    """``holder`` is the id of the run, or the name of the owner, that has it now."""

    code = "already_running"
    default_remedy = "Wait for the one that runs now; its id is in the message."

    def __init__(self, message: str, *, holder: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.holder = holder

    def details(self) -> dict[str, str]:
        return {"holder": self.holder}


class RunReplaced(Conflict):
    """``newer_run`` is the run whose reads count now."""

    code = "run_replaced"
    default_remedy = "Propose a plan on the newer run, once it has read both sides; its id is in the message."

    def __init__(self, message: str, *, newer_run: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.newer_run = newer_run

    def details(self) -> dict[str, str]:
        return {"newer_run": self.newer_run}


class MonthSealed(Conflict):
    code = "month_sealed"
    default_remedy = "Use the present month, or reopen the closed one: trueup reopen PERIOD --reason TEXT."


class MonthNotReady(Conflict):
    code = "month_not_ready"
    default_remedy = "Finish what is named, or close the month as it is: trueup seal PERIOD --reason TEXT."


class ConfigurationInvalid(TrueupError):
    code = "configuration_invalid"
    action = Action.FIX_CONFIGURATION
    blame = Blame.CONFIGURATION
    default_remedy = "Correct the setting that is named."


class UnsafeAddress(ConfigurationInvalid):
    code = "unsafe_address"
    default_remedy = "Give the vendor's own https address, with no path, port, user or query."


class NotConnected(ConfigurationInvalid):
    code = "not_connected"
    default_remedy = "Connect the integration first: trueup connect NAME."


class VendorTrouble(TrueupError):
    """An outside system did not give what was asked. ``integration`` names which one.

    ``status`` is the HTTP status where there was a reply; ``request_id`` is the vendor's id of the
    call where it sent one; ``vendor_code`` is its own first error code, cut and made printable.
    """

    code = "vendor_trouble"
    action = Action.RETRY
    blame = Blame.THEIRS
    default_remedy = "Try again later; if it lasts, ask the vendor with the request id."

    def __init__(
        self,
        message: str,
        *,
        integration: str,
        status: int | None = None,
        vendor_code: str | None = None,
        request_id: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.integration = integration
        self.status = status
        self.vendor_code = vendor_code
        self.request_id = request_id

    def details(self) -> dict[str, str]:
        facts = {
            "integration": self.integration,
            "status": self.status,
            "vendor_code": self.vendor_code,
            "vendor_request_id": self.request_id,
        }
        return {key: str(value) for key, value in facts.items() if value is not None}


class VendorUnavailable(VendorTrouble):
    code = "vendor_unavailable"


class RateLimited(VendorTrouble):
    """It asked us to wait ``wait_seconds`` (already clamped); the call was not carried out."""

    code = "rate_limited"
    action = Action.WAIT
    default_remedy = "Nothing is wrong: a scheduled run waits by itself; give a command again after the wait."

    def __init__(
        self,
        message: str,
        *,
        integration: str,
        wait_seconds: float,
        status: int | None = 429,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, integration=integration, status=status, request_id=request_id)
        self.wait_seconds = wait_seconds

    def details(self) -> dict[str, str]:
        return {**super().details(), "wait_seconds": f"{self.wait_seconds:.1f}"}


class CredentialRejected(VendorTrouble):
    code = "credential_rejected"
    action = Action.REAUTHENTICATE
    blame = Blame.CONFIGURATION
    default_remedy = "Make a new credential at the vendor and connect again."


class PermissionMissing(VendorTrouble):
    """The credential works but may not do this. ``permission`` is the vendor's own name of the row."""

    code = "permission_missing"
    action = Action.FIX_CONFIGURATION
    blame = Blame.CONFIGURATION
    default_remedy = "Give the credential the permission named and check it again."

    def __init__(
        self,
        message: str,
        *,
        integration: str,
        permission: str | None = None,
        status: int | None = 403,
        vendor_code: str | None = None,
        request_id: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(
            message,
            integration=integration,
            status=status,
            vendor_code=vendor_code,
            request_id=request_id,
            remedy=remedy,
        )
        self.permission = permission

    def details(self) -> dict[str, str]:
        found = super().details()
        return {**found, "permission": self.permission} if self.permission else found


class ResourceAbsent(VendorTrouble):
    code = "resource_absent"
    action = Action.ASK_PERSON
    default_remedy = "Check that the thing still exists at the vendor and that the credential may see it."


class RequestRefused(VendorTrouble):
    code = "request_refused"
    action = Action.ASK_PERSON
    default_remedy = "Read what the vendor objects to; correct it there or here."


class EditConflict(VendorTrouble):
    code = "edit_conflict"
    action = Action.ASK_PERSON
    default_remedy = "Somebody edited the record meanwhile; run again and decide on what it is now."


class ReplyUnreadable(VendorTrouble):
    code = "reply_unreadable"


class ReplyTooLarge(ReplyUnreadable):
    code = "reply_too_large"
    action = Action.GIVE_UP


class SchemaUnknown(ReplyUnreadable):
    """A shape we do not know. The message carries key names and types only, never values."""

    code = "schema_unknown"
    action = Action.GIVE_UP
    default_remedy = "Send the key names in this message to the maintainers, or add them to the field mapping."


class ReadIncomplete(VendorTrouble):
    code = "read_incomplete"
    default_remedy = "Nothing was changed. Run again; if it lasts, the vendor's paging is broken."


class TenantScopeMismatch(VendorTrouble):
    code = "tenant_scope_mismatch"
    action = Action.GIVE_UP
    default_remedy = "The vendor ignored the account switch; its answer was thrown away. Ask the vendor."


class WriteOutcomeUnknown(VendorTrouble):
    code = "write_outcome_unknown"
    action = Action.ASK_PERSON
    default_remedy = "Read the line at the vendor before anything else is sent."


class StateTrouble(TrueupError):
    code = "state_trouble"
    action = Action.RETRY
    default_remedy = "Try again; if it lasts, look at the table's health."


class StateUnavailable(StateTrouble):
    code = "state_unavailable"


class QueueUnavailable(StateTrouble):
    code = "queue_unavailable"
    default_remedy = "Send the message again later; it was not acted on."


class RecordTooLarge(StateTrouble):
    code = "record_too_large"
    action = Action.GIVE_UP
