"""What people and programs are shown of portal users. Absence is null with a reason beside it."""

from __future__ import annotations

from typing import Any

from trueup.api.views import time_text
from trueup.domain.portal_mail import AccountManagerMail
from trueup.domain.portal_readiness import DirectoryIntegration, ReadinessState
from trueup.domain.portal_users import AccountCheck, ChecklistItem, PortalBook, PortalUser

View = dict[str, Any]


def portal_user_view(user: PortalUser) -> View:
    """``state`` is as of ``checked_at``; ``checklist`` is what a person has to look up."""
    found = user.checked.readiness if user.checked is not None else None
    return {
        "address": user.address,
        "name": user.name,
        "state": user.state,
        "reason_code": found.reason.value if found else None,
        "reason": found.words if found else "not checked yet",
        "fix": (found.fix or None) if found else None,
        "permission": (found.permission or None) if found else None,
        "primary_address": (found.primary or None) if found else None,
        "role": (found.role or None) if found else None,
        "cloud_password": found.has_cloud_password if found else None,
        "warnings": list(found.warnings) if found else [],
        "evidence": list(found.evidence) if found else [],
        "checked_at": time_text(user.checked.at) if user.checked else None,
        "checked_by": user.checked.by if user.checked else None,
        "checklist": [_item_view(user, item) for item in ChecklistItem],
        "invited_at": time_text(user.invited_at),
        "invited_by": user.invited_by or None,
        "added_at": time_text(user.added_at),
        "added_by": user.added_by,
    }


def _item_view(user: PortalUser, item: ChecklistItem) -> View:
    tick = user.tick(item)
    return {
        "item": item.value,
        "label": item.words,
        "done": tick is not None,
        "by": tick.by if tick else None,
        "at": time_text(tick.at) if tick else None,
    }


def portal_book_view(book: PortalBook) -> View:
    return {
        "items": [portal_user_view(user) for user in book.users],
        "totals": {
            "all": len(book.users),
            **{state.value: sum(1 for user in book.users if user.state == state.value) for state in ReadinessState},
            "unchecked": sum(1 for user in book.users if user.state == "unchecked"),
        },
        "check": _check_view(book.check) if book.check is not None else None,
        "next_cursor": None,
    }


def _check_view(check: AccountCheck) -> View:
    """``directories`` is null where they could not be read; a note then says why."""
    return {
        "at": time_text(check.at),
        "by": check.by,
        "account": check.account or None,
        "directories": None if check.integrations is None else [_directory_view(one) for one in check.integrations],
        "warnings": list(check.warnings),
        "notes": list(check.notes),
    }


def _directory_view(one: DirectoryIntegration) -> View:
    return {
        "name": one.name or None,
        "kind": one.kind or None,
        "enabled": one.is_enabled,
        "status": one.status or None,
        "last_sync_at": time_text(one.last_sync_at),
        "running": one.is_running,
    }


def portal_mail_view(mail: AccountManagerMail) -> View:
    return {
        "to": mail.to or None,
        "subject": mail.subject,
        "text": mail.text,
        "mailto": mail.mailto or None,
        "addresses": list(mail.addresses),
    }
