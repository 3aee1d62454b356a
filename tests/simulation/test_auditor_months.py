"""The auditor sees a closed month that was changed."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.state_memory import Memory
from tests.fakes.state_sealing import FakeSealedMonths
from tests.simulation.auditor import audit
from tests.simulation.evidence import Evidence, Report
from tests.usecases.office import Office, small_month
from tests.usecases.test_sealing import done, seal
from trueup.domain.audit import Audit


def closed() -> Office:
    office = small_month()
    done(office)
    seal(office)
    return office


def judged(office: Office) -> Report:
    return audit(Evidence(office.state, policy=office.policy))


def memory(office: Office) -> Memory:
    assert isinstance(office.state.sealed_months, FakeSealedMonths)
    return office.state.sealed_months._memory


def test_a_closed_month_is_sound() -> None:
    report = judged(closed())
    report.require_sound()
    assert {"I7", "I10"} <= report.checked


def test_a_flipped_byte_a_changed_link_and_a_later_step_are_seen() -> None:
    office = closed()
    parts = memory(office).parts
    address = next(iter(parts))
    parts[address] = parts[address][:-1] + b"?"
    assert any("does not have the bytes" in words for words in judged(office).violations)

    office = closed()
    links = memory(office).links
    links[0] = replace(links[0], hash="0" * 64)
    assert any("the history does not tell" in words for words in judged(office).violations)

    office = closed()
    plan = office.state.plan_index.latest(1)[0]
    office.state.history.append([Audit(office.clock.now(), "mallory", "plan approved", plan.id)])
    assert any("after 2026-09 was closed" in words for words in judged(office).violations)
