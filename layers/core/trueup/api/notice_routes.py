"""Where notices go, and what was told: for administrators, who also try a channel here."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.access import Role
from trueup.api.inputs import NoticeChannelBody
from trueup.api.notice_views import channel_view, delivery_view
from trueup.api.replies import allowed, written
from trueup.domain.notices import ChannelName
from trueup.domain.periods import Period
from trueup.settings import settings
from trueup.usecases.notices import channel_settings, remove_channel, set_channel, try_channel

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.

Channel = Annotated[ChannelName, Path()]


@router.get(
    "/v1/notice-channels", tags=["notices"], summary="Every channel, set or not; an address is never shown whole"
)
def list_channels() -> dict[str, Any]:
    allowed(router, Role.ADMIN)
    found = channel_settings(bootstrap.notice_systems())
    return {"items": [channel_view(one) for one in found], "next_cursor": None}


@router.put(
    "/v1/notice-channels/<channel>",
    tags=["notices"],
    summary="Set a channel: what it takes, and where it goes",
    description="Without kinds it takes all there are, tickets what a person must act on. A webhook's address is kept "
    "in the vault and never given back; leave it out to change only what the channel takes.",
)
def put_channel(channel: Channel, body: Annotated[NoticeChannelBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.ADMIN)
    return written(
        router,
        caller,
        lambda: channel_view(
            set_channel(
                channel,
                kinds=body.kinds,
                webhook_url=body.webhook_url.get_secret_value() if body.webhook_url is not None else "",
                ticket=body.ticket.model_dump(exclude_none=True) if body.ticket is not None else None,
                actor=caller.name,
                systems=bootstrap.notice_systems(),
            )
        ),
    )


@router.delete(
    "/v1/notice-channels/<channel>", tags=["notices"], summary="Send nothing there any more; forget its address"
)
def delete_channel(channel: Channel) -> Response[str]:
    caller = allowed(router, Role.ADMIN)
    return written(
        router,
        caller,
        lambda: channel_view(remove_channel(channel, actor=caller.name, systems=bootstrap.notice_systems())),
    )


@router.post(
    "/v1/notice-channels/<channel>/test",
    tags=["notices"],
    summary="Send a test message there now; the reply says what became of it",
)
def post_test(channel: Channel) -> Response[str]:
    caller = allowed(router, Role.ADMIN)
    return written(
        router,
        caller,
        lambda: delivery_view(
            try_channel(channel, actor=caller.name, period=_this_period(), systems=bootstrap.notice_systems())
        ),
    )


@router.get("/v1/notices", tags=["notices"], summary="What was told in a period, where, and what became of it")
def list_notices(period: Annotated[str, Query(max_length=7)] = "") -> dict[str, Any]:
    allowed(router, Role.ADMIN)
    chosen = str(Period.parse(period)) if period else _this_period()
    found = bootstrap.state().notices.of_period(chosen)
    return {"period": chosen, "items": [delivery_view(one) for one in found], "next_cursor": None}


def _this_period() -> str:
    return str(Period.at(bootstrap.clock().now(), settings().time_zone))
