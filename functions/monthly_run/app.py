"""The door of monthly_run: the durable workflow of a month, from the schedule or from the API."""

from __future__ import annotations

import os
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_lambda_powertools import Logger

from trueup import bootstrap
from trueup.api.durable_month import FunctionNames, Records, carry_out
from trueup.api.events import MonthlyEvent
from trueup.settings import settings

logger = Logger()


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    context.set_logger(logger)
    state = bootstrap.state()
    return carry_out(
        MonthlyEvent.read(event),
        context,
        functions=FunctionNames.read(os.environ),
        records=Records(
            state.runs,
            state.plans,
            state.leases,
            state.integrations,
            bootstrap.clock(),
            settings().time_zone,
            settings().auto_apply,
        ),
    )
