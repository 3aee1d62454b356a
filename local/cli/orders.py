"""Change orders: list, show what to type into the partner portal, decide, mark as submitted, send."""

from __future__ import annotations

import socket
from argparse import Namespace
from collections.abc import Callable, Sequence

from local.cli import EXIT_DIFFERENCES, EXIT_DONE
from local.cli.output import Cell, Column, Output, Style, shown
from local.cli.workplace import Workplace
from trueup import bootstrap
from trueup.api.order_spreadsheet import all_orders
from trueup.api.order_views import order_view, order_with_work_view
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.order_parts import OrderState, Signature
from trueup.domain.order_tracking import is_late
from trueup.domain.order_work_items import work_item
from trueup.domain.periods import Period
from trueup.usecases import order_decisions
from trueup.usecases.order_submission import open_order_gate, send_order

_STYLES: dict[OrderState, Style] = {
    OrderState.REFLECTED: "green",
    OrderState.NEEDS_REVIEW: "yellow",
    OrderState.EXPIRED: "yellow",
    OrderState.REJECTED: "red",
}


def list_orders(workplace: Workplace, arguments: Namespace) -> int:
    """2 when an order needs a person: it is held, waits for approval or review, or is late."""
    period = None if arguments.period is None else str(Period.parse(arguments.period))
    found = all_orders(workplace.state.change_orders, period)
    orders = sorted((one for one in found if one.is_open or arguments.all), key=_by_month_and_name)
    patience, now = workplace.settings.orders.patience, workplace.clock.now()
    workplace.output.document({"items": [order_view(one, patience=patience, now=now) for one in orders]})
    if not orders:
        workplace.output.line("There is no open change order. A run drafts what is to be ordered: trueup run")
        return EXIT_DONE
    _orders_table(workplace, orders)
    workplace.output.line("Next: trueup orders show ORDER", "bold")
    waits = any(order.state is not OrderState.SUBMITTED and order.is_open for order in orders)
    late = any(is_late(order, now, patience) for order in orders)
    return EXIT_DIFFERENCES if waits or late else EXIT_DONE


def _orders_table(workplace: Workplace, orders: Sequence[ChangeOrder]) -> None:
    """One line an order; order numbers and remarks have a column where there are any."""
    columns = [Column("Order"), Column("State"), Column("Client", "name"), Column("Service", "name"),
               Column("Now", "number"), Column("To", "number"), Column("Change", "number")]  # fmt: skip
    rows: list[list[str | Cell]] = [
        [
            order.id,
            Cell(_state(workplace, order), _STYLES.get(order.state, "")),
            shown(order.vendor_name, 30),
            shown(order.service_name, 24),
            str(order.current),
            str(order.target),
            f"{order.delta:+d}",
        ]
        for order in orders
    ]
    for column, texts in (
        (Column("Number"), [shown(order.order_number, 20) for order in orders]),
        (Column("What to know", "text"), [shown(_remark(order), 120) for order in orders]),
    ):
        if any(texts):
            columns.append(column)
            for row, text in zip(rows, texts, strict=True):
                row.append(text)
    workplace.output.table(columns, rows)


def _by_month_and_name(order: ChangeOrder) -> tuple[str, str, str, str]:
    return order.period, order.vendor_name, order.service_name, order.id


def show(workplace: Workplace, arguments: Namespace) -> int:
    return _told(workplace, workplace.state.change_orders.get(arguments.order_id))


def terms(workplace: Workplace, arguments: Namespace) -> int:
    return _told(
        workplace,
        order_decisions.set_terms(
            arguments.order_id,
            actor=workplace.actor,
            policy=workplace.settings.orders,
            time_zone=workplace.settings.time_zone,
            change_orders=workplace.state.change_orders,
            clock=workplace.clock,
            implementation_lead=arguments.lead,
            po_number=arguments.po,
            product_change=arguments.product_change,
            contract_starts_on=arguments.contract_starts,
        ),
    )


def release(workplace: Workplace, arguments: Namespace) -> int:
    return _with_reason(workplace, arguments, order_decisions.release_order)


def approve(workplace: Workplace, arguments: Namespace) -> int:
    return _told(
        workplace,
        order_decisions.approve_order(
            arguments.order_id,
            checksum=arguments.checksum,
            actor=workplace.actor,
            two_person_approval=workplace.settings.two_person_approval,
            change_orders=workplace.state.change_orders,
            api_keys=workplace.state.api_keys,
            clock=workplace.clock,
        ),
    )


def submitted(workplace: Workplace, arguments: Namespace) -> int:
    return _told(
        workplace,
        order_decisions.mark_submitted(
            arguments.order_id,
            order_number=arguments.number,
            actor=workplace.actor,
            agreement_acknowledged=arguments.agreement_acknowledged,
            change_orders=workplace.state.change_orders,
            snapshots=workplace.state.snapshots,
            clock=workplace.clock,
            downsell_deadline=arguments.downsell_deadline,
            effective_on=arguments.effective_on,
        ),
    )


def cancel(workplace: Workplace, arguments: Namespace) -> int:
    return _with_reason(workplace, arguments, order_decisions.cancel_order)


def reject(workplace: Workplace, arguments: Namespace) -> int:
    return _with_reason(workplace, arguments, order_decisions.reject_order)


def resolve(workplace: Workplace, arguments: Namespace) -> int:
    return _told(
        workplace,
        order_decisions.resolve_order(
            arguments.order_id,
            outcome=arguments.outcome,
            reason=arguments.reason,
            actor=workplace.actor,
            change_orders=workplace.state.change_orders,
            clock=workplace.clock,
        ),
    )


def send(workplace: Workplace, arguments: Namespace) -> int:
    """2 when what became of it has to be found out by a person."""
    state = workplace.state
    order = send_order(
        arguments.order_id,
        actor=workplace.actor,
        agreement_acknowledged=arguments.agreement_acknowledged,
        # The home's lock lets one writer in, so a lease that this home left when it was killed is its own.
        owner=f"{socket.gethostname()}:{workplace.home.path}",
        gate=open_order_gate(
            enabled=workplace.settings.orders_api,
            integrations=state.integrations,
            vault=bootstrap.vault(),
            connections=bootstrap.connections(),
            uploads=state.uploads,
        ),
        change_orders=state.change_orders,
        leases=state.leases,
        clock=workplace.clock,
    )
    _told(workplace, order)
    return EXIT_DIFFERENCES if order.state is OrderState.NEEDS_REVIEW else EXIT_DONE


def _with_reason(workplace: Workplace, arguments: Namespace, step: Callable[..., ChangeOrder]) -> int:
    return _told(
        workplace,
        step(
            arguments.order_id,
            reason=arguments.reason,
            actor=workplace.actor,
            change_orders=workplace.state.change_orders,
            clock=workplace.clock,
        ),
    )


def _told(workplace: Workplace, order: ChangeOrder) -> int:
    output, patience = workplace.output, workplace.settings.orders.patience
    output.document(order_with_work_view(order, patience=patience, now=workplace.clock.now()))
    item = work_item(order)
    output.line(order.id, "bold")
    output.paragraph(shown(item.title, 200), indent="  ")
    output.line(f"  state    {_state(workplace, order)}", _STYLES.get(order.state, ""))
    reason = order.reason
    output.line(f"  why      {reason.licensed} licensed on {reason.counted_at:%Y-%m-%d}{_counted_by(reason.policy)}")
    if _remark(order):
        output.line(f"  to know  {shown(_remark(order), 300)}")
    if order.submitted is not None:
        output.line(f"  ordered  {_ordered(order, order.submitted)}")
    if order.state in {OrderState.DRAFT, OrderState.APPROVED}:
        _say_what_to_type(output, order)
    for note in order.notes if order.state is OrderState.DRAFT else ():
        output.paragraph(shown(note, 400), indent="  ")
    output.line(f"  checksum {order.checksum}")
    _say_what_comes_next(output, order)
    return EXIT_DONE


def _counted_by(policy: str) -> str:
    """The counting policy as the order names it; version 0 is what holds where nobody has said anything."""
    if not policy:
        return ""
    return ", by the default policy" if policy.endswith(" version 0") else f", by the policy of {shown(policy, 80)}"


def _ordered(order: ChangeOrder, submitted: Signature) -> str:
    """When, by whom and under which number; for a decrease until when it can be cancelled."""
    text = f"{submitted.at:%Y-%m-%d %H:%M} UTC by {shown(submitted.by, 60)}"
    if order.order_number:
        text += f", number {shown(order.order_number, 60)}"
    if order.downsell is not None:
        text += f"; it can be cancelled until {order.downsell.deadline}"
        if order.downsell.effective_on is not None:
            text += f" and counts from {order.downsell.effective_on}"
    return text


def _say_what_to_type(output: Output, order: ChangeOrder) -> None:
    item = work_item(order)
    output.line(f"  portal   {shown(' > '.join(item.path), 200)}")
    output.table(
        [Column("Field", "text"), Column("Value", "text"), Column("To know", "text")],
        [[shown(step.label, 60), shown(step.value, 80), shown(step.note, 300)] for step in item.steps],
    )


def _say_what_comes_next(output: Output, order: ChangeOrder) -> None:
    match order.state:
        case OrderState.DRAFT if order.must_change:
            text = "it has to change before it can be approved"
        case OrderState.DRAFT if order.is_held:
            text = f'trueup orders release {order.id} --reason "..."'
        case OrderState.DRAFT:
            text = f"trueup orders approve {order.id} --checksum {order.checksum}"
        case OrderState.APPROVED:
            deadline = " --downsell-deadline YYYY-MM-DD" if order.delta < 0 else ""
            text = f"trueup orders submitted {order.id} --number NUMBER --agreement-acknowledged{deadline}"
        case OrderState.SUBMITTED:
            text = "trueup run, until a read shows the new count"
        case OrderState.NEEDS_REVIEW | OrderState.EXPIRED if order.is_open:
            text = f'look at the portal, then trueup orders resolve {order.id} --outcome ... --reason "..."'
        case _:
            return
    output.line(f"Next: {text}", "bold")


def _state(workplace: Workplace, order: ChangeOrder) -> str:
    words = order.state.value.replace("_", " ")
    if order.is_held and order.state is OrderState.DRAFT:
        return f"{words}, held"
    late = is_late(order, workplace.clock.now(), workplace.settings.orders.patience)
    return f"{words}, late" if late else words


def _remark(order: ChangeOrder) -> str:
    if order.state is OrderState.DRAFT and order.holds:
        return "; ".join(f"{hold.guard}: {hold.figures}" for hold in order.holds)
    return order.remark or order.settled_why
