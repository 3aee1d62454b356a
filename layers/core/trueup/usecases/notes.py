"""What a person writes down about an account for whoever looks at it next; it decides nothing."""

from __future__ import annotations

from trueup.domain.accounts import VendorAccountId
from trueup.domain.audit import Audit
from trueup.ports.clock import Clock
from trueup.ports.state import Accounts, History
from trueup.usecases.mapping import require_reason

NOTE_WRITTEN = "note written"


def write_note(vendor_id: str, text: str, *, actor: str, accounts: Accounts, history: History, clock: Clock) -> Audit:
    """Keep the note in the history, with its account as the subject. Raises NotFound, InputInvalid for a note that is
    empty or too long.
    """
    words = require_reason(text)
    entry = accounts.get(VendorAccountId(vendor_id))
    note = Audit(at=clock.now(), actor=actor, action=NOTE_WRITTEN, subject=str(entry.vendor_id), why=words)
    history.append([note])
    return note
