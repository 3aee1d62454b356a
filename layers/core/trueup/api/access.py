"""Who is calling and what they may do. Roles come from a group claim of a token that API Gateway has verified."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from trueup.domain.errors import NotAllowed
from trueup.settings import Settings


class Role(IntEnum):
    """Each role may do what the ones before it may."""

    VIEWER = 1
    PREPARER = 2
    APPROVER = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True)
class Caller:
    """``name`` goes into the history."""

    name: str
    role: Role | None

    def require(self, role: Role) -> None:
        """Raises NotAllowed unless the caller has that role or a higher one."""
        if self.role is None or self.role < role:
            raise NotAllowed(
                f"this needs the role {role.name.lower()}",
                remedy=f"Ask an administrator for the group {role.name.lower()}, or ask somebody who has it.",
            )


def caller_of(event: dict[str, Any], settings: Settings) -> Caller:
    """The caller of an HTTP API event (payload format 2.0) behind the JWT authorizer.

    On one machine roles are not checked: whoever is at the keyboard is the administrator.
    """
    if not settings.roles_are_checked:
        return Caller("local administrator", Role.ADMIN)
    authorizer = event.get("requestContext", {}).get("authorizer", {})
    claims = authorizer.get("jwt", {}).get("claims", {}) if isinstance(authorizer, dict) else {}
    name = str(claims.get("email") or claims.get("preferred_username") or claims.get("sub") or "unknown")
    return Caller(name[:200], _highest(claims.get(settings.role_claim)))


def _highest(claim: object) -> Role | None:
    """API Gateway writes a list claim as ``[a b]`` or ``[a, b]``; other issuers send one word or a JSON list."""
    if isinstance(claim, list):
        words = [str(word) for word in claim]
    else:
        words = re.split(r"[\s,]+", str(claim or "").strip("[]"))
    names = {role.name.lower(): role for role in Role}
    found = [names[word.strip('"').lower()] for word in words if word.strip('"').lower() in names]
    return max(found, default=None)
