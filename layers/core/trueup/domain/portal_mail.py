"""The mail to the Mimecast account manager: who is to be set up as a portal user.

Method: plain text, one user a line, and the same as a link that opens a mail program. Must not: let a name add a line,
a header or a recipient; what is kept was checked when it was added, and is made safe here once more.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from trueup.domain.errors import Conflict
from trueup.domain.portal_users import PortalUser

MAILTO_CHARACTERS_MAXIMUM = 2000
"""Longer links are cut by common mail programs and browsers (seen in the field, no standard says so)."""

_NAME_CHARACTERS = 100
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class AccountManagerMail:
    """``mailto`` is empty when it would be too long to be opened whole; the text is whole in any case."""

    to: str
    subject: str
    text: str
    mailto: str
    addresses: tuple[str, ...]


def account_manager_mail(
    users: Sequence[PortalUser], *, account: str, to: str = "", with_invited: bool = False
) -> AccountManagerMail:
    """The mail about the users that are ready and not invited yet, or about all that are ready (``with_invited``).

    ``account`` is the partner's account code, empty where it is not known; ``to`` a checked address or empty. Raises
    Conflict when nobody is ready.
    """
    ready = [user for user in users if user.is_ready and (with_invited or user.invited_at is None)]
    if not ready:
        raise Conflict(
            "no portal user is ready" + ("" if with_invited else " and not invited yet"),
            remedy="Check them first: trueup portal-users check. What blocks a user is listed there with the fix.",
        )
    shown_account = safe_text(account, 40)
    subject = f"Partner portal users to set up: {len(ready)}" + (f" (account {shown_account})" if shown_account else "")
    text = "\n".join(
        (
            "Hello,",
            "",
            "please set up these users of our own Mimecast account in the partner portal:",
            "",
            *(f"{number}. {_line(user)}" for number, user in enumerate(ready, start=1)),
            "",
            "Each exists on our account with this primary address and is enabled, as of "
            f"{min(user.checked.at for user in ready if user.checked is not None):%Y-%m-%d %H:%M} UTC.",
            "",
            "Thank you.",
            "",
        )
    )
    return AccountManagerMail(to, subject, text, _mailto(to, subject, text), tuple(user.address for user in ready))


def safe_text(text: str, characters_maximum: int = _NAME_CHARACTERS) -> str:
    """One line of text that can stand in a mail: every character that cannot be seen is a space, runs are one."""
    seen = "".join(" " if unicodedata.category(one)[0] in {"C", "Z"} else one for one in text)
    return " ".join(seen.split())[:characters_maximum]


def _line(user: PortalUser) -> str:
    """The address first, then the name in quotes: a name that looks like an address is still seen to be a name."""
    address = "".join(safe_text(user.address, 254).split())
    name = safe_text(user.name).replace('"', "'")
    return f'{address}  "{name}"'


def _mailto(to: str, subject: str, text: str) -> str:
    local, at, domain = to.rpartition("@")
    body = text.replace("\n", "\r\n")
    link = f"mailto:{_percent(local)}{at}{_percent(domain)}?subject={_percent(subject)}&body={_percent(body)}"
    return link if len(link) <= MAILTO_CHARACTERS_MAXIMUM else ""


def _percent(text: str) -> str:
    """Everything but letters, digits and four signs, by the bytes of its UTF-8 (RFC 6068)."""
    content = text.encode("utf-8", errors="replace")
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in content)
