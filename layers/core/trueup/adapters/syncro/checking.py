"""Tries a credential: which of the needed permissions the token has, without changing anything.

Method: the user's own record first, which needs no permission, then one page of each list. The right to edit cannot be
tried without writing, and is told as such.
"""

from __future__ import annotations

from typing import Final

from trueup.adapters.syncro.paging import Listing
from trueup.adapters.syncro.reading import CUSTOMERS, SCHEDULES
from trueup.adapters.syncro.replies import (
    CREDENTIAL_REMEDY,
    PRODUCTS_PERMISSION,
    SCHEDULES_EDIT_PERMISSION,
    raise_refusal,
    vendor_message,
)
from trueup.adapters.syncro.session import SyncroSession
from trueup.adapters.syncro.wire import INTEGRATION, UserWire, parse
from trueup.domain.billing import Capability, CapabilityReport
from trueup.domain.errors import CredentialRejected

EDIT_NOTE: Final = (
    f"{SCHEDULES_EDIT_PERMISSION} cannot be tried without changing something; if it is missing, applying a change is "
    "rejected and says so."
)

_PRODUCTS = Listing("/products", "products", (), "reading products", PRODUCTS_PERMISSION)
_PROBES = (("read customers", CUSTOMERS), ("read recurring invoices", SCHEDULES), ("search products", _PRODUCTS))
_DOING_ME = "asking whose token it is"


def check_credential(session: SyncroSession) -> CapabilityReport:
    """What the token may do. Raises CredentialRejected when it is not accepted, VendorUnavailable if away."""
    reply = session.get("/me")
    if reply.status == 404:
        raise CredentialRejected(
            "Syncro answers 404 where every account tells whose token it is",
            integration=INTEGRATION,
            status=404,
            remedy=CREDENTIAL_REMEDY,
        )
    # A token that may not even ask this may still read what is needed; the probes tell.
    user = UserWire() if reply.status == 403 else None
    if user is None:
        if reply.status != 200:
            raise_refusal(reply, doing=_DOING_ME, permission="(none)", secrets=session.secrets)
        user = parse(UserWire, reply.json(), source=_DOING_ME)
    capabilities = tuple(_probe(session, name, listing) for name, listing in _PROBES)
    return CapabilityReport(_identity(user), capabilities, (EDIT_NOTE,))


def _probe(session: SyncroSession, name: str, listing: Listing) -> Capability:
    """One page of a list. Which status a missing permission has is not published: after an accepted token, 401 and 403
    both mean one.
    """
    reply = session.get(listing.path, query=(*listing.query, ("page", "1")))
    if reply.status in (401, 403):
        return Capability(name, False, listing.permission, vendor_message(reply, secrets=session.secrets))
    if reply.status != 200:
        raise_refusal(reply, doing=listing.doing, permission=listing.permission, secrets=session.secrets)
    return Capability(name, True, listing.permission)


def _identity(user: UserWire) -> str:
    name = user.user_name or "a Syncro user"
    return f"{name} at {user.subdomain}.syncromsp.com" if user.subdomain else name
