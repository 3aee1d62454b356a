"""The order API of a vendor in memory: what was asked of it, and what it is to answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from trueup.domain.order_parts import AnswerKind, OrderAnswer, OrderAsk, RequestState, RequestStatus

TAKEN = OrderAnswer(AnswerKind.TAKEN, "taken", "ref-1")


@dataclass(slots=True)
class FakeOrders:
    """Implements OrderSubmission. An answer that is an error is raised; ``on_order`` is told of every order it gets,
    whatever it answers.
    """

    quote_answers: list[OrderAnswer | Exception] = field(default_factory=list)
    order_answers: list[OrderAnswer | Exception] = field(default_factory=list)
    status_answer: RequestStatus | Exception = RequestStatus(RequestState.IN_PROGRESS, "in_progress")
    quotes: list[OrderAsk] = field(default_factory=list)
    orders: list[tuple[OrderAsk, str]] = field(default_factory=list)
    on_order: Callable[[OrderAsk], None] = lambda ask: None

    def quote(self, ask: OrderAsk) -> OrderAnswer:
        self.quotes.append(ask)
        return _given(self.quote_answers)

    def order(self, ask: OrderAsk, quote_id: str) -> OrderAnswer:
        self.orders.append((ask, quote_id))
        self.on_order(ask)
        return _given(self.order_answers)

    def status(self, request_id: str) -> RequestStatus:
        if isinstance(self.status_answer, Exception):
            raise self.status_answer
        return self.status_answer


def _given(answers: list[OrderAnswer | Exception]) -> OrderAnswer:
    answer = answers.pop(0) if answers else TAKEN
    if isinstance(answer, Exception):
        raise answer
    return answer
