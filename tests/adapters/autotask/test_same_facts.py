"""One seeded world told by Autotask and by ConnectWise: what Trueup compares and bills must be the same."""

from __future__ import annotations

from datetime import date

from local.simulators.connectwise import ConnectWiseSimulator
from local.simulators.demo_world import demo_world
from local.simulators.server import running
from tests.adapters.autotask.connected import connected, read_all
from tests.contracts.psa_subject_connectwise import CONNECTWISE_FIELDS
from trueup.adapters.connectwise import open_connectwise
from trueup.domain.billing import Line, PsaPage

TODAY = date(2026, 9, 1)


def test_the_demo_month_reads_the_same_from_both() -> None:
    with connected(demo_world()) as site, running(ConnectWiseSimulator(site.world)) as other:
        connectwise = open_connectwise(other.url, CONNECTWISE_FIELDS, clock=site.clock, allow_loopback=True)
        pages: list[PsaPage] = [connectwise.read_page(None)]
        while pages[-1].next_cursor is not None:
            pages.append(connectwise.read_page(pages[-1].next_cursor))
        connectwise.close()
        whole = read_all(site.psa)
    assert [(one.id, one.identifier, one.name, one.deleted) for one in whole.accounts] == [
        (one.id, one.identifier, one.name, one.deleted) for page in pages for one in page.accounts
    ]
    assert [(one.id, one.account_id, one.name, one.state, one.starts_on) for one in whole.agreements] == [
        (one.id, one.account_id, one.name, one.state, one.starts_on) for page in pages for one in page.agreements
    ]
    theirs = [line for page in pages for line in page.lines]
    assert len(theirs) > 60
    assert [billed(line) for line in sorted(whole.lines, key=by_id)] == [
        billed(line) for line in sorted(theirs, key=by_id)
    ]


def by_id(line: Line) -> int:
    return int(line.id)


def billed(line: Line) -> tuple[object, ...]:
    """What decides a verdict and a change, of a line; Autotask says that nothing is billed by a price of nothing."""
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
