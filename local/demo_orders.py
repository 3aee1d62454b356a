"""The change orders of the demo: two are typed into the simulated partner portal, of which Mimecast loses one.

Method: what a person would do at the portal goes through the simulator's control route; everything else is a command.
An order that was typed in is not typed in again, so that a demo that was killed can go on. Must not: say of an order
what the store does not say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests

from local.cli.output import shown
from local.cli.tables import plural
from local.demo_telling import Telling
from trueup.api.order_spreadsheet import all_orders
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.order_parts import OrderState

ARRIVES = "Elmstead Veterinary Care"
"""The client whose order is in the agreement from the second read after it was typed in."""

LOST = "Hollybank Accountants"
"""The client whose order Mimecast never carries out."""

READS_UNTIL_IT_SHOWS = 2

_ANSWER_SECONDS = 10.0
_STATE_LINES = 5
"""Of `trueup orders show`: which, what, its state, why, and when it was ordered or what was read."""


@dataclass(frozen=True, slots=True)
class SimulatedPortal:
    """The partner portal as a person uses it, at the simulated Mimecast of this address."""

    url: str

    def accounts(self) -> int:
        """How many customers Mimecast has."""
        return len(self._world()["accounts"])

    def type_in(self, order: ChangeOrder, *, lost: bool) -> str:
        """Submit the form once; the order number that the portal shows."""
        number = self._number_of(order)
        if number is None:
            edit = {
                "operation": "type_order",
                "code": str(order.vendor_id),
                "seats": order.target,
                "reads": READS_UNTIL_IT_SHOWS,
                "lost": lost,
            }
            requests.post(self._control, json=edit, timeout=_ANSWER_SECONDS).raise_for_status()
            number = self._number_of(order)
        if number is None:
            raise RuntimeError("the simulated portal did not take the order")
        return number

    def _number_of(self, order: ChangeOrder) -> str | None:
        taken = self._world()["vendor_state"].get("mimecast_orders", {}).get("orders", [])
        numbers = [one["order_number"] for one in taken if one["account_code"] == str(order.vendor_id)]
        return str(numbers[-1]) if numbers else None

    def _world(self) -> dict[str, Any]:
        reply = requests.get(self._control, timeout=_ANSWER_SECONDS)
        reply.raise_for_status()
        world: dict[str, Any] = reply.json()
        return world

    @property
    def _control(self) -> str:
        return f"{self.url}/_control/state"


class OrderStory:
    """Ordering, and how the orders stand later."""

    def __init__(self, telling: Telling, portal: SimulatedPortal) -> None:
        self._telling = telling
        self._portal = portal

    def order(self) -> None:
        """Approve both orders, type them in, and mark them as submitted; what was done in an earlier demo is left."""
        self._telling.title(
            "Order what is missing",
            "Some agreements do not hold the people who are licensed. Trueup drafts what to order; a person decides, "
            "types it into the partner portal, and says so here. Only a later read of Mimecast makes an order done.",
        )
        waiting = [order for order in map(self._of, (ARRIVES, LOST)) if order is not None and not order.was_sent]
        waiting = [order for order in waiting if order.is_open]
        if not waiting:
            self._telling.say("Both orders of this story were submitted in an earlier demo.")
            return
        self._telling.do("orders", "list")
        for order in waiting:
            self._submit(order, in_full=order is waiting[0])
        self._telling.say(
            "The other drafts wait for their own decision; each decrease also needs the day until which it can be "
            "cancelled. An order number is not proof: now Mimecast is read again."
        )

    def show(self, name: str) -> None:
        """How that client's order stands now, in the first lines of `trueup orders show`."""
        order = self._of(name)
        if order is not None:
            self._telling.do("orders", "show", order.id, lines_maximum=_STATE_LINES)

    def waits_for(self, name: str) -> bool:
        order = self._of(name)
        return order is not None and order.state is OrderState.SUBMITTED

    def say_what_is_outstanding(self, name: str) -> None:
        """How an order stands that no read has shown."""
        order = self._of(name)
        if order is None or not self.waits_for(name):
            return
        self.show(name)
        days = self._telling.workplace.settings.orders.patience.chase_days
        self._telling.say(
            f"Order {shown(order.order_number, 40)} of {name} is outstanding: it was submitted, and no read shows its "
            f"{order.target} seats. It is called late and chased after {plural(days, 'day', 'days')}; until Mimecast "
            "shows it, nothing is billed for it and no second order can be made."
        )

    def standing(self) -> str:
        """In words: how many orders are in which state."""
        counts = self.counts()
        words = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items())
        return f"{plural(sum(counts.values()), 'change order', 'change orders')}: {words}"

    def counts(self) -> dict[str, int]:
        """How many orders are in which state; states that no order is in are left out."""
        found = Counter(order.state for order in self._all())
        return {state.value: found[state] for state in OrderState if found[state]}

    def _submit(self, order: ChangeOrder, *, in_full: bool) -> None:
        telling = self._telling
        telling.stage.line()
        if order.state is OrderState.DRAFT:
            if in_full:
                telling.do("orders", "show", order.id)
                telling.stage.line()
            telling.do("orders", "approve", order.id, "--checksum", order.checksum, lines_maximum=3)
        number = self._portal.type_in(order, lost=order.vendor_name == LOST)
        telling.stage.paragraph(
            f"(At the portal a person orders {order.target} seats for {shown(order.vendor_name, 60)} and is shown the "
            f"order number {number}.)"
        )
        telling.do(
            "orders", "submitted", order.id, "--number", number, "--agreement-acknowledged", lines_maximum=_STATE_LINES
        )

    def _of(self, name: str) -> ChangeOrder | None:
        """The newest order of the client of that name; none when no run has drafted one."""
        return max((one for one in self._all() if one.vendor_name == name), key=lambda one: one.id, default=None)

    def _all(self) -> Iterator[ChangeOrder]:
        return all_orders(self._telling.workplace.state.change_orders, None)
