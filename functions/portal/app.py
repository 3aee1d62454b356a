"""The door of the HTTP API and of the screens: every route, from API Gateway (HTTP API, payload format 2.0)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup.api.portal import build_portal, handle
from trueup.api.screens import Screens

logger = Logger()
app = build_portal(logger)
screens = Screens(Path(__file__).parent / "static")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return screens.answer(event) or handle(app, event, context)
