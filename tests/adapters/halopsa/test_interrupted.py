"""A process that ends at any point of a write, and trouble in any order: the line ends right, the others stay.

Method: the first enumerates every call that a write makes and stops before and after each; a new adapter then does the
same write again. The second draws invoices and trouble at random and holds what was reported against the world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.simulators.halopsa_records import memory
from tests.adapters.halopsa.connected import (
    AWARENESS,
    BILLED,
    CHANGES,
    EMAIL,
    HARBOR,
    INVOICE,
    INVOICES,
    MANAGED,
    OTHER,
    REFERENCE,
    Connected,
    connected,
)
from tests.contracts.psa_subject_halopsa import HALOPSA_FIELDS
from tests.contracts.psa_subjects import Scene, a_line, a_product
from trueup.adapters.halopsa import HaloPsaBilling, open_halopsa
from trueup.adapters.halopsa.restoring import ALARM
from trueup.domain.billing import LineId, LineReference, NewLine, WriteOutcome, WriteResult
from trueup.domain.counts import Seats
from trueup.domain.errors import TrueupError, VendorTrouble

ORDER = NewLine(HARBOR.id, MANAGED.id, AWARENESS.id, AWARENESS.code, 9)
ONLY_EMAIL = Scene((HARBOR,), (MANAGED,), BILLED[:1], (EMAIL, AWARENESS))


class ProcessEnds(BaseException):
    """Stands for a process that is killed: no handler of the product may catch it."""


@contextmanager
def ending_at(psa: HaloPsaBilling, call: int, *, after: bool) -> Iterator[list[int]]:
    """The process ends before or after that call to HaloPSA, counted from 1. Gives the count of calls begun."""
    client: Any = psa._session._client
    send, begun = client.send, [0]

    def counted(*arguments: Any, **options: Any) -> Any:
        begun[0] += 1
        if begun[0] != call:
            return send(*arguments, **options)
        if after:
            with suppress(VendorTrouble):
                send(*arguments, **options)
        raise ProcessEnds

    client.send = counted
    try:
        yield begun
    finally:
        client.send = send


def change(psa: HaloPsaBilling) -> WriteResult:
    return psa.set_quantity(REFERENCE, expected=Decimal(12), expected_version="", target=Seats(15))


def make(psa: HaloPsaBilling) -> WriteResult:
    return psa.create_line(ORDER)


def reopened(site: Connected) -> HaloPsaBilling:
    return open_halopsa(site.simulator.url, HALOPSA_FIELDS, clock=site.clock, allow_loopback=True)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fault", ["", "drop_before_commit", "drop_after_commit", "error_after_commit"])
@pytest.mark.parametrize(("act", "scene", "wanted"), [(change, None, [15, 3]), (make, ONLY_EMAIL, [12, 9])])
def test_a_process_that_ends_at_any_call_is_finished_by_the_next_exactly_once(
    act: Callable[[HaloPsaBilling], WriteResult], scene: Scene | None, wanted: list[int], fault: str, after: bool
) -> None:
    call, ended = 0, True
    while ended:
        call += 1
        ended = False
        with connected(scene) if scene is not None else connected() as site:
            if fault:
                site.simulator.faults.add(fault, method="POST", path=INVOICES)
            with ending_at(site.psa, call, after=after):
                try:
                    act(site.psa)
                except ProcessEnds:
                    ended = True
            second = reopened(site)
            result = act(second)
            if result.outcome is WriteOutcome.UNKNOWN:
                # The trouble waited for this one; a person looks, and asks again.
                result = act(second)
            second.close()
            assert result.outcome in (WriteOutcome.APPLIED, WriteOutcome.ALREADY)
            assert list(site.quantities().values()) == wanted
            changed = [one for one in site.simulator.world.writes if one.committed and one.before != one.after]
            assert len(changed) == 1
    # authinfo, token, record of changes, invoice, POST, invoice, record of changes; a new line asks for its item too.
    assert call >= 8


def test_two_processes_that_write_to_one_invoice_at_once_lose_neither_change() -> None:
    """The second reads and writes between the first one's reading and its posting; both sign in as the same agent."""
    with connected() as site:
        other = reopened(site)
        client: Any = site.psa._session._client
        send, between = client.send, []

        def interleaved(method: str, path: str, **options: Any) -> Any:
            if method == "POST" and path == INVOICES and not between:
                between.append(
                    other.set_quantity(
                        LineReference(MANAGED.id, OTHER.id), expected=Decimal(3), expected_version="", target=Seats(5)
                    )
                )
            return send(method, path, **options)

        client.send = interleaved
        first = change(site.psa)
        other.close()
        assert [between[0].outcome, first.outcome] == [WriteOutcome.APPLIED] * 2
        assert "line 88432 has 5 again" in first.reason
        assert site.quantities() == {88431: 15, 88432: 5}


TROUBLE = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            [
                "drop_before_commit",
                "drop_after_commit",
                "error_after_commit",
                "truncated",
                "rate_limited",
                "false_success",
                "other_line_lost",
                "other_line_moved",
                "moved_line",
                "unauthorized",
                "invoice_run",
            ]
        ),
        "where": st.sampled_from([("POST", INVOICES), ("GET", INVOICE), ("GET", CHANGES)]),
        "nth": st.integers(1, 3),
        "line": st.integers(0, 3),
        "quantity": st.integers(0, 40),
    }
)


@given(quantities=st.lists(st.integers(0, 30), min_size=2, max_size=4), troubles=st.lists(TROUBLE, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_no_other_line_is_lost_in_silence(
    quantities: list[int], troubles: list[dict[str, Any]]
) -> None:
    products = tuple(a_product(560 + number, f"P{number}") for number in range(len(quantities)))
    lines = tuple(
        a_line(5000 + number, MANAGED, products[number], str(quantity)) for number, quantity in enumerate(quantities)
    )
    target = quantities[0] + 5
    with connected(Scene((HARBOR,), (MANAGED,), lines, products)) as site:
        by_people: set[int] = set()
        for trouble in troubles:
            method, path = trouble["where"]
            line_id = 5000 + trouble["line"] % len(quantities)
            options: dict[str, Any] = {}
            if trouble["kind"] == "moved_line":
                options = {"line_id": line_id, "quantity": trouble["quantity"]}
                by_people.add(line_id)
            site.simulator.faults.add(trouble["kind"], method=method, path=path, nth=trouble["nth"], **options)
        said = _written(site, quantities[0], target)
        now = site.quantities()
        wanted = {5000 + number: float(quantity) for number, quantity in enumerate(quantities)}
        for row in memory(site.simulator.world)["changes"]:
            if row["who"] == "jsmith":
                wanted[row["invoice_line_id"]] = float(row["new_value"])
    is_told = ALARM in said.reason or "cannot be ruled out" in said.reason
    for line_id in wanted.keys() - {5000}:
        assert now.get(line_id) == wanted[line_id] or is_told, (said, now, wanted)
    if said.outcome in (WriteOutcome.APPLIED, WriteOutcome.ALREADY) and 5000 not in by_people:
        assert now[5000] == target
    assert site.posts() <= 4


def _written(site: Connected, expected: int, target: int) -> WriteResult:
    """One change; trouble that is raised surely sent nothing."""
    reference = LineReference(MANAGED.id, LineId("5000"))
    try:
        return site.psa.set_quantity(reference, expected=Decimal(expected), expected_version="", target=Seats(target))
    except TrueupError as trouble:
        assert not any(one.committed for one in site.simulator.world.writes)
        return WriteResult(WriteOutcome.REJECTED, trouble.message)
