"""From which day a change counts, by what each PSA can do, and what the next invoice line will be.

What a PSA can do is data: nothing outside an adapter asks which PSA it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from trueup.domain.billing import Agreement, Line
from trueup.domain.errors import InputInvalid
from trueup.domain.integrations import IntegrationName
from trueup.domain.periods import Period


class EffectiveRule(StrEnum):
    """now: from the moment it is written, for whatever is not invoiced yet. next_invoice: from the next invoice that
    the PSA makes of the line. next_period: from the first day of the next billing month. dated: from a given day.
    """

    NOW = "now"
    NEXT_INVOICE = "next_invoice"
    NEXT_PERIOD = "next_period"
    DATED = "dated"


@dataclass(frozen=True, slots=True)
class PsaCapabilities:
    """What a PSA's way of billing allows; the differences between PSAs as data.

    ``rules`` are the rules a person may ask for, ``default_rule`` what is done unless told otherwise.
    ``dates_need_proration``: a day can be given only on agreements that prorate. ``whole_units_only``: quantities are
    whole numbers there. ``delta_write``: a write says how many more or fewer, so it must never be sent twice.
    ``whole_document_write``: a write replaces all lines of a document. ``line_webhooks``: it tells when a line or its
    agreement changes. ``creates_lines``: a missing line can be made. ``takes_writes``: False where a person carries the
    changes over by hand. ``callbacks``: it can call Trueup when a record changes.
    """

    default_rule: EffectiveRule
    rules: frozenset[EffectiveRule]
    dates_need_proration: bool = False
    whole_units_only: bool = False
    delta_write: bool = False
    whole_document_write: bool = False
    line_webhooks: bool = False
    creates_lines: bool = False
    takes_writes: bool = True
    callbacks: bool = False

    @property
    def dated_change_makes_line(self) -> bool:
        """Whether a change from a day on ends the line and makes another, where quantities are not kept by date."""
        return EffectiveRule.DATED in self.rules and not self.delta_write


_NOW, _DATED = EffectiveRule.NOW, EffectiveRule.DATED
_NEXT_INVOICE, _NEXT_PERIOD = EffectiveRule.NEXT_INVOICE, EffectiveRule.NEXT_PERIOD

PSA_CAPABILITIES: dict[IntegrationName, PsaCapabilities] = {
    # Other reconcilers document that approvals count at once in ConnectWise and on the first of the following month in
    # Autotask; a day of one's own is offered there where the agreement or contract prorates.
    IntegrationName.CONNECTWISE: PsaCapabilities(
        _NOW,
        frozenset({_NOW, _NEXT_PERIOD, _DATED}),
        dates_need_proration=True,
        line_webhooks=True,
        creates_lines=True,
        callbacks=True,
    ),
    IntegrationName.AUTOTASK: PsaCapabilities(
        _NEXT_PERIOD,
        frozenset({_NEXT_PERIOD, _DATED}),
        whole_units_only=True,
        delta_write=True,
        callbacks=True,
    ),
    IntegrationName.HALOPSA: PsaCapabilities(
        _NEXT_INVOICE,
        frozenset({_NEXT_INVOICE}),
        whole_document_write=True,
        creates_lines=True,
        callbacks=True,
    ),
    IntegrationName.SYNCRO: PsaCapabilities(_NEXT_INVOICE, frozenset({_NEXT_INVOICE})),
    IntegrationName.PSA_FILES: PsaCapabilities(_NOW, frozenset({_NOW}), takes_writes=False),
}


@dataclass(frozen=True, slots=True)
class EffectiveWish:
    """What a person asked for; ``rule`` None is the PSA's own default, ``day`` is set for ``dated`` alone."""

    rule: EffectiveRule | None = None
    day: date | None = None

    @classmethod
    def parse(cls, text: str) -> EffectiveWish:
        """From ``""`` (default), ``now``, ``next_invoice``, ``next_period`` or ``YYYY-MM-DD``. Raises InputInvalid."""
        words = text.strip().lower().replace("-", "_")
        if words in {"", "default"}:
            return cls()
        if words in {EffectiveRule.NOW, EffectiveRule.NEXT_INVOICE, EffectiveRule.NEXT_PERIOD}:
            return cls(EffectiveRule(words))
        day = _day(text.strip())
        if day is None:
            raise InputInvalid(
                f"{text[:40]!r} is no effective date",
                field="effective",
                remedy="Give now, next_invoice, next_period or a day as YYYY-MM-DD.",
            )
        return cls(EffectiveRule.DATED, day)

    @property
    def text(self) -> str:
        """What ``parse`` reads; empty for the default."""
        if self.day is not None:
            return self.day.isoformat()
        return "" if self.rule is None else self.rule.value

    def require_possible(self, capabilities: PsaCapabilities, on: date) -> None:
        """Raises InputInvalid for what the connected PSA cannot do, or a day that is over."""
        if self.rule is not None and self.rule not in capabilities.rules:
            offered = ", ".join(sorted(rule.value for rule in capabilities.rules)).replace("dated", "a day")
            raise InputInvalid(
                f"the connected PSA cannot let a change count from {self.text}",
                field="effective",
                remedy=f"It offers: {offered}.",
            )
        if self.day is not None and self.day <= on:
            raise InputInvalid(
                f"{self.day} is not in the future", field="effective", remedy="Give a later day, or leave it out."
            )


def _day(text: str) -> date | None:
    """A day as YYYY-MM-DD and in no other of the forms ISO has, so that nobody means a week and gets a day."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


AS_THE_PSA_DOES = EffectiveWish()
"""Nothing was asked for."""


@dataclass(frozen=True, slots=True)
class Effect:
    """From when one change counts. ``day`` is None for ``now`` and ``next_invoice``, which are no day of ours.

    ``refusal`` says why the wish cannot be had for this agreement; the change then counts as the PSA's default says
    and is held until a person accepts that.
    """

    rule: EffectiveRule
    day: date | None = None
    refusal: str = ""


def default_effect(capabilities: PsaCapabilities, on: date) -> Effect:
    """What the PSA does unless told otherwise, whatever the agreement says; ``on`` is the MSP's day."""
    rule = capabilities.default_rule
    if rule is EffectiveRule.NEXT_PERIOD:
        return Effect(rule, Period(on.year, on.month).next().first_day)
    return Effect(rule)


def effect_of(wish: EffectiveWish, capabilities: PsaCapabilities, agreement: Agreement, on: date) -> Effect:
    """What the wish comes to for one agreement; ``on`` is the MSP's day."""
    rule = wish.rule or capabilities.default_rule
    if rule in {EffectiveRule.NOW, EffectiveRule.NEXT_INVOICE}:
        return Effect(rule)
    day = wish.day or Period(on.year, on.month).next().first_day
    if capabilities.dates_need_proration and not agreement.prorates:
        refusal = f"agreement {agreement.name} does not prorate, so the change cannot count from {day}"
        return Effect(capabilities.default_rule, refusal=refusal)
    if agreement.ends_on is not None and agreement.ends_on < day:
        return Effect(rule, day, refusal=f"agreement {agreement.name} ends on {agreement.ends_on}, before {day}")
    return Effect(rule, day)


@dataclass(frozen=True, slots=True)
class NextInvoiceLine:
    """What the line will say on its next invoice. ``on`` and ``amount`` are None where the PSA gives none."""

    on: date | None
    quantity: int
    amount: Decimal | None


def next_invoice_line(line: Line, agreement: Agreement, target: int, effect: Effect) -> NextInvoiceLine:
    """The line on the invoice that comes next: the target, unless the change counts only after that day."""
    on = agreement.next_invoice_on
    quantity = Decimal(target)
    if effect.day is not None and on is not None and on < effect.day:
        begun = [step for step in line.steps if step.starts_on <= on] or line.steps[:1]
        quantity = begun[-1].quantity if begun else line.quantity
    billed = max(quantity - line.less_included, Decimal(0))
    amount = None if line.unit_price is None else (billed * line.unit_price if line.billable else Decimal(0))
    return NextInvoiceLine(on, int(quantity), amount)
