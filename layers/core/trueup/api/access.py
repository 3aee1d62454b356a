"""Who is calling and what they may do. Roles come from a group claim of a token that API Gateway has verified."""

from __future__ import annotations

import json
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
    """``name`` goes into the history. ``is_person`` is False where no token of a person came with the request."""

    name: str
    role: Role | None
    is_person: bool = True

    def require_person(self) -> None:
        """Raises NotAllowed for a machine, whatever its key may do."""
        if not self.is_person:
            raise NotAllowed("this is for people who are signed in", remedy="Sign in; a key opens /v1/psa/ only.")

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
    return Caller(_name(claims)[:200], _highest(_groups(claims.get(settings.role_claim))), is_person=bool(claims))


def _name(claims: dict[str, Any]) -> str:
    """Who the history says it was. An address that the issuer says nobody has verified may be anybody's."""
    is_verified = str(claims.get("email_verified", "true")).lower() == "true"
    email = claims.get("email") if is_verified else None
    return str(email or claims.get("preferred_username") or claims.get("sub") or "unknown")


def _groups(claim: object) -> list[str]:
    """The groups that a claim names: a list, one word, or a list as text.

    API Gateway writes a list as ``[a b]`` or ``[a, b]``, where a group with a space in its name looks like two groups:
    where an issuer has such groups, the role claim must be one that has none. JSON tells them apart and is taken as it
    is; so is text without brackets, which is one group.
    """
    if isinstance(claim, list):
        return [word for word in claim if isinstance(word, str)]
    text = str(claim or "").strip()
    if not text.startswith("["):
        return [text]
    try:
        parsed = json.loads(text)
    except ValueError:
        return re.split(r"[\s,]+", text[1:-1]) if text.endswith("]") else []
    return _groups(parsed)


def _highest(groups: list[str]) -> Role | None:
    names = {role.name.lower(): role for role in Role}
    return max((names[group.lower()] for group in groups if group.lower() in names), default=None)
