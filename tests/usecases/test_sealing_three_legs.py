"""A month with licensed users: its closed form holds their read, tenants and rules, and comes to the same counts."""

from __future__ import annotations

from dataclasses import replace

from tests.usecases.office import PERIOD, Office, open_office
from tests.usecases.test_sealing import seal
from trueup.domain.billing import PsaAccountId
from trueup.domain.integrations import Side
from trueup.usecases.monthly_report import contents_of, trend
from trueup.usecases.sealed_proof import replay_month, verify_months


def closed_month(shift: int = 0) -> Office:
    """Three clients with tenants; ``shift`` falsifies what is kept of the licensed count of one of them."""
    office = open_office()
    for number, name in enumerate(("Harbor Dental Group", "Larkspur Legal", "Mossgate Freight"), start=1):
        office.client(number, name, 10, "10")
        office.licenses.add_tenant(f"t-{number}", name, 10 + number)
    office.set_up()
    office.connect_licenses()
    office.run()
    if shift:
        inputs = office.state.comparison_records.inputs(PERIOD)
        assert inputs is not None
        licensed = dict(inputs.legs.licensed)
        count = licensed[PsaAccountId("P2")]
        licensed[PsaAccountId("P2")] = replace(count, seats=count.seats + shift)  # type: ignore[union-attr,call-arg]
        moved = replace(inputs, legs=replace(inputs.legs, licensed=licensed))
        summary = office.state.reconciliations.summary(PERIOD)
        found = office.state.reconciliations.get(PERIOD)
        office.state.reconciliations.save(found, run_id=summary.run_id, at=office.clock.now(), inputs=moved)
    seal(office, reason="as it is")
    return office


def test_the_licensed_leg_is_closed_with_what_it_was_made_of() -> None:
    office = closed_month()
    (link,) = office.state.sealed_months.links()
    contents = contents_of(link, office.state.sealed_months)
    assert [read.side for read in contents.reads] == [Side.VENDOR, Side.PSA, Side.LICENSES]
    assert contents.inputs is not None
    assert dict(contents.inputs.tenants) == {f"t-{number}": f"P{number}" for number in (1, 2, 3)}
    assert len(contents.inputs.policies) == 1
    assert {entry.vendor_id for entry in contents.license_accounts} == {"t-1", "t-2", "t-3"}
    assert verify_months(PERIOD, state=office.state).broken is None
    (point,) = trend(months=1, until=PERIOD, state=office.state)
    assert (point.agreement, point.licensed, point.billed) == (30, 36, 30)


def test_it_is_counted_again_whatever_becomes_of_the_tenants_since() -> None:
    office = closed_month()
    office.licenses.sets("t-2", 99)
    for entry in office.state.license_accounts.all():
        office.state.license_accounts.save([replace(entry, psa_id=PsaAccountId("P2"))], [])
    replay = replay_month(PERIOD, state=office.state)
    assert (replay.difference, replay.is_same_form, replay.rows) == ("", True, 3)


def test_a_count_that_the_users_do_not_come_to_is_told() -> None:
    difference = replay_month(PERIOD, state=closed_month(shift=1).state).difference
    assert "has another" in difference or "licensed users of client P2" in difference
