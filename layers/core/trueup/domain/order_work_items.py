"""What a person types into the vendor's portal for one order, step by step: one list for CLI, API and screens.

Where the documents of the vendor disagree the item says so, instead of choosing for the person.
"""

from __future__ import annotations

from dataclasses import dataclass

from trueup.domain.change_orders import ChangeOrder
from trueup.domain.order_parts import OrderKind

PORTAL_PATH = ("Customers | Complete", "CUSTOMER", "Change Options")
"""Where the form is, as the vendor documents it; the customer's own name stands in the middle."""


@dataclass(frozen=True, slots=True)
class WorkStep:
    """One thing to do: ``label`` is the portal's own word for it, ``value`` what goes there, ``note`` what to know."""

    id: str
    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One order as work for a person. ``path`` are the clicks that lead to the form."""

    order_id: str
    title: str
    path: tuple[str, ...]
    steps: tuple[WorkStep, ...]


def work_item(order: ChangeOrder) -> WorkItem:
    """The steps in the order of the form: fill in, compare the previews, confirm, note what comes back."""
    customer = f"{order.vendor_name} ({order.vendor_id})"
    seats = f"from {order.current} to {order.target} seats"
    return WorkItem(
        order.id,
        f"{order.kind.value.capitalize()} {order.service_name} of {customer} {seats}",
        (PORTAL_PATH[0], customer, PORTAL_PATH[2]),
        (*_form(order), *_previews(order), *_confirmation(order), *_afterwards(order)),
    )


def _form(order: ChangeOrder) -> list[WorkStep]:
    terms = order.terms
    fields = (
        f"the new total is {order.target}, the change is {order.delta:+d}: two articles of the vendor differ on which "
        "of the two the field takes (an older one asks for the change, a newer one for the total). Type the total, and "
        f"go on only when the preview shows {order.target}."
    )
    steps = []
    if order.target == 0:
        steps.append(
            WorkStep(
                "cancellation",
                "Cancel",
                "use it where the whole subscription ends",
                "it opens eleven months after the subscription began; Change Options is for fewer seats",
            )
        )
    steps.append(WorkStep("seats", "Seat Adjustment", str(order.target), fields))
    steps.append(
        WorkStep(
            "implementation_lead",
            "Primary Implementation Lead",
            terms.implementation_lead or "choose one from the list",
            "a user of the partner portal",
        )
    )
    product = terms.product_change or "Keep Existing"
    note = "a seat decrease cannot be combined with a product change" if order.kind is OrderKind.DECREASE else ""
    return [*steps, WorkStep("product", "Primary Product", product, note)]


def _previews(order: ChangeOrder) -> list[WorkStep]:
    figures = f"{order.service_name}: {order.current} -> {order.target} ({order.delta:+d})"
    stop = "stop and leave the form with Cancel when it shows anything else"
    return [
        WorkStep("preview_changes", "Changes to Existing Products", figures, stop),
        WorkStep("preview_quote", "Preview Change Quote", f"new quantity {order.target}", stop),
    ]


def _confirmation(order: ChangeOrder) -> list[WorkStep]:
    steps = [WorkStep("review", "Review Order", "check the summary: partner, company name, seats")]
    if order.kind is OrderKind.DECREASE:
        steps.append(
            WorkStep(
                "downsell_notice",
                "Downsell Notice",
                "note the next billing date and the deadline to cancel the order",
                "both are typed in here when the order is marked as submitted",
            )
        )
    po_number = order.terms.po_number
    steps.append(WorkStep("po_number", "Order Number", po_number or "Order Number Not Required"))
    steps.append(
        WorkStep(
            "agreement",
            "tick: the order is governed by the existing agreement (MSA)",
            "tick",
            "only who may order for the company; the portal may show a second box that asks for just that",
        )
    )
    return [*steps, WorkStep("submit", "Submit Order", "once", "never a second time, even when no answer comes")]


def _afterwards(order: ChangeOrder) -> list[WorkStep]:
    told = "the number the portal shows"
    if order.kind is OrderKind.DECREASE:
        told += ", the deadline and the next billing date"
    return [
        WorkStep(
            "mark_submitted",
            "Mark as submitted here",
            told,
            "the order counts as done only when a later read shows the new total",
        )
    ]
