"""Portal users: list, add, import, check, tick, invite, remove, and the mail to the account manager."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from pydantic import Field, StrictBool

from trueup import bootstrap
from trueup.api import inputs
from trueup.api.access import Role
from trueup.api.portal_spreadsheet import read_portal_users
from trueup.api.portal_user_views import portal_book_view, portal_mail_view, portal_user_view
from trueup.api.replies import allowed, written
from trueup.domain.portal_mail import account_manager_mail
from trueup.domain.portal_users import ChecklistItem, parse_address
from trueup.ports.portal_users import PortalUserReading
from trueup.usecases.opening import open_portal_users
from trueup.usecases.portal_readiness import (
    add_portal_user,
    check_portal_users,
    import_portal_users,
    mark_invited,
    remove_portal_user,
    tick_item,
)

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.

Address = Annotated[str, Path(max_length=254, description="The user's address, in any case")]


class PortalUserBody(inputs.Body):
    """One person; whoever is there already gets the name."""

    name: inputs.ShortText
    address: inputs.Identifier


class TickBody(inputs.Body):
    """An item of the checklist; ``done`` false takes the tick back."""

    item: ChecklistItem
    done: Annotated[StrictBool, Field()] = True


@router.get("/v1/portal-users", tags=["portal users"], summary="Who is to be a portal user, and what the check found")
def list_portal_users() -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return portal_book_view(bootstrap.state().portal_users.get())


@router.post("/v1/portal-users", tags=["portal users"], summary="Add one portal user")
def post_portal_user(body: Annotated[PortalUserBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        user = add_portal_user(
            body.name,
            body.address,
            actor=caller.name,
            portal_users=bootstrap.state().portal_users,
            clock=bootstrap.clock(),
        )
        return portal_user_view(user)

    return written(router, caller, write, status=201)


@router.post("/v1/portal-users/import", tags=["portal users"], summary="A file of portal users (CSV): all rows or none")
def import_users() -> Response[str]:
    """Columns: name, address. Users who are not in the file stay."""
    caller = allowed(router, Role.PREPARER)
    content = (router.current_event.decoded_body or "").encode()

    def write() -> dict[str, Any]:
        done = import_portal_users(
            read_portal_users(content),
            actor=caller.name,
            portal_users=bootstrap.state().portal_users,
            clock=bootstrap.clock(),
            evidence=hashlib.sha256(content).hexdigest(),
        )
        return asdict(done)

    return written(router, caller, write)


@router.post(
    "/v1/portal-users/check", tags=["portal users"], summary="Check every portal user on your own Mimecast account"
)
def check_users() -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        book = check_portal_users(
            actor=caller.name,
            reading=_reading(),
            portal_users=bootstrap.state().portal_users,
            clock=bootstrap.clock(),
        )
        return portal_book_view(book)

    return written(router, caller, write)


@router.get(
    "/v1/portal-users/mail",
    tags=["portal users"],
    summary="The mail to the account manager with the users that are ready and not invited yet",
)
def get_mail(
    to: Annotated[str, Query(max_length=254, description="The account manager's address")] = "",
    with_invited: Annotated[bool, Query(description="Also those who were invited already")] = False,
) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    book = bootstrap.state().portal_users.get()
    mail = account_manager_mail(
        book.users,
        account=book.check.account if book.check is not None else "",
        to=parse_address(to) if to else "",
        with_invited=with_invited,
    )
    return portal_mail_view(mail)


@router.delete("/v1/portal-users/<address>", tags=["portal users"], summary="Keep a portal user no longer")
def delete_portal_user(address: Address) -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        users = bootstrap.state().portal_users
        return portal_user_view(
            remove_portal_user(address, actor=caller.name, portal_users=users, clock=bootstrap.clock())
        )

    return written(router, caller, write)


@router.post(
    "/v1/portal-users/<address>/tick",
    tags=["portal users"],
    summary="A person's word on what no API tells: sign-on, second factor, registered",
)
def tick(address: Address, body: Annotated[TickBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        user = tick_item(
            address,
            body.item,
            is_done=body.done,
            actor=caller.name,
            portal_users=bootstrap.state().portal_users,
            clock=bootstrap.clock(),
        )
        return portal_user_view(user)

    return written(router, caller, write)


@router.post(
    "/v1/portal-users/<address>/invite",
    tags=["portal users"],
    summary="Note that the invite is asked for; the user is checked again first, and refused unless ready",
)
def invite(address: Address) -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        users = bootstrap.state().portal_users
        users.get().get(address)
        return portal_user_view(
            mark_invited(address, actor=caller.name, reading=_reading(), portal_users=users, clock=bootstrap.clock())
        )

    return written(router, caller, write)


def _reading() -> PortalUserReading:
    """The partner's own account. Raises NotConnected, InputInvalid where only files are connected."""
    return open_portal_users(
        integrations=bootstrap.state().integrations, vault=bootstrap.vault(), connections=bootstrap.connections()
    )
