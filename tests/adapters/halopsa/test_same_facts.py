"""One seeded world told by HaloPSA and by ConnectWise: what Trueup compares and bills must be the same."""

from __future__ import annotations

from datetime import date

from local.simulators.connectwise import ConnectWiseSimulator
from local.simulators.demo_world import demo_world
from local.simulators.halopsa import HaloPsaSimulator
from local.simulators.server import running
from tests.contracts.psa_subject_connectwise import CONNECTWISE_FIELDS
from tests.contracts.psa_subject_halopsa import HALOPSA_FIELDS
from tests.fakes.clock import FakeClock
from trueup.adapters.connectwise import open_connectwise
from trueup.adapters.halopsa import open_halopsa
from trueup.domain.billing import Agreement, Line, PsaAccount
from trueup.ports.psa import PsaBilling

TODAY = date(2026, 9, 1)


def whole(psa: PsaBilling) -> tuple[list[PsaAccount], list[Agreement], list[Line]]:
    accounts: list[PsaAccount] = []
    agreements: list[Agreement] = []
    lines: list[Line] = []
    cursor = None
    while True:
        page = psa.read_page(cursor)
        accounts += page.accounts
        agreements += page.agreements
        lines += page.lines
        cursor = page.next_cursor
        if cursor is None:
            return accounts, agreements, sorted(lines, key=lambda line: int(line.id))


def test_the_demo_month_reads_the_same_from_both() -> None:
    world = demo_world()
    clock = FakeClock()
    with running(ConnectWiseSimulator(world)) as one, running(HaloPsaSimulator(world)) as other:
        connectwise = open_connectwise(one.url, CONNECTWISE_FIELDS, clock=clock, allow_loopback=True)
        halopsa = open_halopsa(other.url, HALOPSA_FIELDS, clock=clock, allow_loopback=True)
        first, second = whole(connectwise), whole(halopsa)
        connectwise.close()
        halopsa.close()
    for told in (first, second):
        assert len(told[2]) == len(world.additions) > 60
    assert [(one.id, one.identifier, one.name, one.deleted) for one in first[0]] == [
        (one.id, one.identifier, one.name, one.deleted) for one in second[0]
    ]
    assert [(one.id, one.account_id, one.name, one.state, one.currency, one.next_invoice_on) for one in first[1]] == [
        (one.id, one.account_id, one.name, one.state, one.currency, one.next_invoice_on) for one in second[1]
    ]
    assert [_billed(line) for line in first[2]] == [_billed(line) for line in second[2]]


def _billed(line: Line) -> tuple[object, ...]:
    """What decides a verdict and a change, of a line: its price only where it is billed at all."""
    return (
        line.id,
        line.agreement_id,
        line.account_id,
        line.product_id,
        line.product_code,
        line.quantity,
        line.billable,
        line.unit_price if line.billable else 0,
        line.is_live(TODAY),
        line.is_future(TODAY),
        line.not_writable_reason is None,
    )
