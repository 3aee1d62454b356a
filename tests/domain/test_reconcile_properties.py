"""What holds for every month: the reference agrees, nothing is lost or counted twice, order changes nothing."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, replace

from hypothesis import given

from tests.domain.building import proposed
from tests.domain.reference_reconciler import reference_rows
from tests.domain.worlds import World, as_legs, month_of_seed, shuffled, worlds
from trueup.domain.billing import AgreementState
from trueup.domain.canonical import canonical_bytes
from trueup.domain.counts import Known
from trueup.domain.plan import Plan
from trueup.domain.reconcile import Legs, reconcile
from trueup.domain.verdicts import Reconciliation, Row, Verdict

MONTHS, MONTHS_SHUFFLED = 6_000, 1_000

REACHED_AT_LEAST = 40
"""How many of the generated months must hold each verdict and each guard, or the agreement below proves little."""


def _said(row: Row, plan: Plan) -> tuple[object, ...]:
    """A row in the reference reconciler's terms."""
    agreement, licensed, billed = row.counts.agreement, row.counts.licensed, row.counts.billed
    changes = [change for change in plan.changes if change.row_id == row.id]
    assert len(changes) <= 1
    change = (changes[0].line_id, changes[0].expected, changes[0].target, changes[0].is_held) if changes else None
    return (
        row.verdict.value,
        row.psa_account_id,
        row.product_id,
        tuple(member.vendor_id for member in row.members),
        agreement.seats if isinstance(agreement, Known) else None,
        billed.seats if isinstance(billed, Known) else None,
        row.monthly_money,
        row.currency,
        change,
        licensed.seats if isinstance(licensed, Known) else None,
        row.bill_target,
        None if row.order is None else (row.order.target, bool(row.order.obstacle)),
    )


def test_reference_reconciler_agrees_on_thousands_of_months() -> None:
    reached: Counter[str] = Counter()
    for seed in range(MONTHS):
        world = month_of_seed(seed)
        reconciliation = reconcile(as_legs(world))
        plan = proposed(reconciliation)
        _assert_agrees(world, reconciliation, plan)
        reached.update({row.verdict.value for row in reconciliation.rows})
        reached.update({hold.guard for change in plan.changes for hold in change.holds})
    wanted = [verdict.value for verdict in Verdict]
    wanted += ["to_zero", "decrease", "jump", "account_not_active", "account_silent", "price_missing"]
    wanted += ["not_billable"]
    assert not {word: reached[word] for word in wanted if reached[word] < REACHED_AT_LEAST}


@given(worlds())
def test_reference_reconciler_agrees_on_months_that_can_be_made_smaller(world: World) -> None:
    reconciliation = reconcile(as_legs(world))
    _assert_agrees(world, reconciliation, proposed(reconciliation))


def _assert_agrees(world: World, reconciliation: Reconciliation, plan: Plan) -> None:
    ours = sorted((_said(row, plan) for row in reconciliation.rows), key=repr)
    theirs = sorted(reference_rows(world), key=repr)
    assert ours == theirs, world


def _bytes(reconciliation: Reconciliation) -> bytes:
    return canonical_bytes(asdict(reconciliation))


def test_I10_any_order_of_the_input_gives_the_same_bytes_and_the_same_plan() -> None:
    for seed in range(MONTHS_SHUFFLED):
        given_legs = as_legs(month_of_seed(seed))
        first, second = reconcile(given_legs), reconcile(shuffled(given_legs, random.Random(seed)))
        assert _bytes(first) == _bytes(second), seed
        assert proposed(first).canonical() == proposed(second).canonical(), seed


@given(worlds())
def test_I4_every_account_is_mapped_excluded_ambiguous_or_unmapped_and_shown(world: World) -> None:
    reconciliation = reconcile(as_legs(world))
    states = Counter("unmapped" if item["mapping"] == "new" else item["mapping"] for item in world.accounts.values())
    totals = reconciliation.totals.accounts
    assert totals.all == len(world.accounts)
    assert (totals.mapped, totals.excluded) == (states["mapped"], states["excluded"])
    assert (totals.ambiguous, totals.unmapped) == (states["ambiguous"], states["unmapped"])
    assert len(reconciliation.excluded) == totals.excluded
    assert len(reconciliation.ambiguous) == totals.ambiguous
    assert len(reconciliation.unmapped) == totals.unmapped
    listed = [str(item.vendor_id) for item in reconciliation.excluded]
    listed += [str(item.vendor_id) for item in (*reconciliation.ambiguous, *reconciliation.unmapped)]
    in_rows = {member.vendor_id for row in reconciliation.rows for member in row.members}
    for name, account in world.accounts.items():
        assert listed.count(name) == (0 if account["mapping"] == "mapped" else 1)
        if name not in in_rows:
            services = [world.services[service] for owner, service in world.counts if owner == name]
            assert account["mapping"] == "excluded" or any(item["mapping"] == "excluded" for item in services)


@given(worlds())
def test_I4_every_known_count_lands_in_exactly_one_row(world: World) -> None:
    rows = reconcile(as_legs(world)).rows
    landed = Counter((str(member.vendor_id), str(member.service_id)) for row in rows for member in row.members)
    for (account, service), said in world.counts.items():
        if not isinstance(said, int):
            continue
        decided = world.accounts[account]["mapping"]
        excluded = decided == "excluded" or (decided == "mapped" and world.services[service]["mapping"] == "excluded")
        feature = world.services[service]["kind"] == "package" and world.services[service]["mapping"] in {
            "unmapped",
            "new",
        }
        assert landed[account, service] <= 1
        assert landed[account, service] == 1 or excluded or feature
        assert not (excluded and landed[account, service])


@given(worlds())
def test_I4_every_live_line_of_a_mapped_product_is_in_exactly_one_row(world: World) -> None:
    given_legs = as_legs(world)
    rows = reconcile(given_legs).rows
    products = {item["product"] for item in world.services.values() if item["mapping"] == "mapped"}
    shown = Counter((row.psa_account_id, row.product_id) for row in rows if row.product_id is not None)
    assert set(shown.values()) <= {1}
    for line in given_legs.psa.lines:
        if line.is_live(given_legs.on) and line.product_id in products:
            assert shown[line.account_id, line.product_id] == 1


@given(worlds())
def test_ids_of_rows_are_unique_and_do_not_move_with_the_counts(world: World) -> None:
    ids = [row.id for row in reconcile(as_legs(world)).rows]
    assert len(set(ids)) == len(ids)
    louder = {key: said + 1 if isinstance(said, int) else said for key, said in world.counts.items()}
    moved = reconcile(as_legs(replace(world, counts=louder)))
    assert {row.id for row in moved.rows} == set(ids)


@given(worlds())
def test_I1_a_change_comes_only_from_a_whole_sum_and_one_live_line(world: World) -> None:
    given_legs = as_legs(world)
    reconciliation = reconcile(given_legs)
    plan = proposed(reconciliation)
    rows = {row.id: row for row in reconciliation.rows}
    assert len({change.line_id for change in plan.changes}) == len(plan.changes)
    assert len({change.id for change in plan.changes}) == len(plan.changes)
    for change in plan.changes:
        row = rows[change.row_id]
        _assert_target_is_read(world, change.target, row)
        _assert_only_live_line(given_legs, change.line_id, row)


def _assert_target_is_read(world: World, target: int, row: Row) -> None:
    """The licensed users where they alone decide; else the whole sum, with sent orders in it, and no less than both."""
    users = world.licensed.get(str(row.psa_account_id))
    by_user = all(world.services[str(member.service_id)]["by_user"] for member in row.members if member.service_id)
    if world.basis == "licensed" and by_user and target == users:
        return
    orders = world.orders if world.bills_on_order else {}
    parts = [
        orders.get((str(member.vendor_id), str(member.service_id)), getattr(member.count, "seats", None))
        for member in row.members
    ]
    assert None not in parts
    agreed = sum(part for part in parts if part is not None)
    larger = world.basis == "larger" and by_user
    assert target == (max(agreed, users) if larger and isinstance(users, int) else agreed)
    assert isinstance(users, int) or not larger
    assert row.psa_account_id is not None
    _assert_nobody_of_the_client_is_left_out(world, row.psa_account_id, row)


def _assert_nobody_of_the_client_is_left_out(world: World, psa_id: str, row: Row) -> None:
    """Each account of the client either is in the sum, or counts other services only; none is silent or absent."""
    for name, account in world.accounts.items():
        if account["mapping"] != "mapped" or account["client"] != psa_id:
            continue
        mine = {service for owner, service in world.counts if owner == name}
        assert mine
        here = {service for service in mine if world.services[service]["product"] == row.product_id}
        assert here == {member.service_id for member in row.members if member.vendor_id == name}


def _assert_only_live_line(given_legs: Legs, line_id: str, row: Row) -> None:
    active = {item.id for item in given_legs.psa.agreements if item.state is AgreementState.ACTIVE}
    candidates = [
        line.id
        for line in given_legs.psa.lines
        if (line.account_id, line.product_id) == (row.psa_account_id, row.product_id)
        and line.is_live(given_legs.on)
        and line.agreement_id in active
    ]
    assert line_id in candidates
    assert row.agreement is not None
    assert row.agreement.state is AgreementState.ACTIVE


@given(worlds())
def test_applying_the_plan_leaves_nothing_to_correct(world: World) -> None:
    """I5: once every change is written, the next comparison of the same counts proposes none."""
    plan = proposed(reconcile(as_legs(world)))
    targets = {str(change.line_id): str(change.target) for change in plan.changes}
    lines = {key: {**item, "quantity": targets.get(key, item["quantity"])} for key, item in world.lines.items()}
    again = proposed(reconcile(as_legs(replace(world, lines=lines))))
    assert again.changes == ()


@given(worlds())
def test_sums_are_those_of_the_rows(world: World) -> None:
    reconciliation = reconcile(as_legs(world))
    rows, totals = reconciliation.rows, reconciliation.totals
    assert totals.rows == len(rows)
    assert dict(totals.verdicts) == {verdict: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    assert totals.agreement_seats == sum(getattr(row.counts.agreement, "seats", 0) for row in rows)
    assert totals.billed_seats == sum(getattr(row.counts.billed, "seats", 0) for row in rows)
    for currency, verdict, amount in totals.money:
        assert amount == sum(
            row.monthly_money
            for row in rows
            if row.currency == currency and row.verdict is verdict and row.monthly_money is not None
        )
    assert reconciliation.has_differences == any(row.verdict is not Verdict.IN_LINE for row in rows)


@given(worlds())
def test_names_pass_through_as_they_came(world: World) -> None:
    reconciliation = reconcile(as_legs(world))
    for row in reconciliation.rows:
        for member in row.members:
            assert member.vendor_name == world.accounts[member.vendor_id]["name"]
            if member.service_id:
                assert member.service_name == world.services[member.service_id]["name"]
        if row.psa_account_id in world.clients:
            assert row.psa_account_name == world.clients[row.psa_account_id]["name"]
