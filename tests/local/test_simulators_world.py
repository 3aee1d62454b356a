"""The worlds themselves: repeatable, holding every case they promise, and surviving on disk."""

import json
from collections import Counter
from pathlib import Path

import pytest

from local.simulators import World, demo_world, scaled_world
from local.simulators.world import WriteRecord


def world_bytes(world: World) -> bytes:
    return json.dumps(world.as_json()).encode()


def billed(world: World, company_id: int | None, product_id: int = 560) -> list[float]:
    """Quantities of the company's lines of one product, whatever their state."""
    agreements = {one.id for one in world.agreements.values() if one.company_id == company_id}
    lines = (line for line in world.additions.values() if line.agreement_id in agreements)
    return [line.quantity for line in lines if line.product_id == product_id]


def agreed(world: World, code: str | None) -> int | None:
    contract = world.contract_of(code or "")
    return contract.lines[0].quantity if contract else None


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert world_bytes(demo_world(3)) == world_bytes(demo_world(3))
    assert world_bytes(demo_world(3)) != world_bytes(demo_world(4))
    assert world_bytes(scaled_world(50, 3)) == world_bytes(scaled_world(50, 3))


def test_the_demo_month_has_48_clients_of_which_34_have_one_name() -> None:
    world = demo_world()
    assert len(world.stories) == 48
    live_names = Counter(company.name for company in world.companies.values() if not company.deleted)
    assert sum(live_names[account.name] == 1 for account in world.accounts.values()) == 34
    assert Counter(account.name for account in world.accounts.values()).most_common(1)[0][1] == 1


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_each_story_is_what_it_says(seed: int) -> None:
    world = demo_world(seed)
    for story in world.stories:
        seats, quantities = agreed(world, story.account_code), billed(world, story.company_id)
        match story.story:
            case "in_line" | "hostile_html" | "hostile_formula" | "unmapped_service" | "safe_key_suffix":
                assert quantities == [seats], story
            case "bill_more" | "jump" | "hostile_script":
                assert seats is not None
                assert quantities[0] < seats, story
            case "bill_less":
                assert seats is not None
                assert quantities[0] > seats, story
            case "to_zero":
                assert (seats, quantities) == (0, [12.0])
            case "new_revenue":
                assert seats is not None
                assert seats > 0
                assert quantities == []
            case "two_live_lines":
                assert quantities == [10.0, 5.0]
            case "cancelled_and_future":
                assert quantities == [seats, 11.0, 99.0]
            case "small_increase":
                assert (seats, quantities) == (2, [1.0])
            case "not_sold":
                assert (story.account_code, len(quantities)) == (None, 1)
            case "partner_count_only" | "account_read_only" | "missing" | "pending":
                assert seats is None, story


def test_who_tells_the_count_of_an_account_without_a_contract() -> None:
    world = demo_world()

    def told(story: str) -> set[tuple[bool, bool]]:
        accounts = [world.accounts[one.account_code or ""] for one in world.story(story)]
        return {
            (one.partner_seats is not None, one.account_readable and one.account_seats is not None) for one in accounts
        }

    assert told("partner_count_only") == {(True, True)}
    assert told("account_read_only") == {(False, True)}
    assert told("missing") == {(False, False)}


def test_hostile_names_and_odd_lines_are_there() -> None:
    world = demo_world()
    names = [account.name for account in world.accounts.values()]
    for part in ("<img src=x onerror=", "=HYPERLINK(", "\r\n", "\u202e", '"></script>', "\u0410", "Ｆ", "ı"):
        assert any(part in name for name in names), part
    assert max(map(len, names)) == 10_000
    assert max(len(company.name) for company in world.companies.values()) <= 156
    assert {line.less_included for line in world.additions.values()} == {0.0, 5.0}
    assert "DoNotBill" in {line.bill_customer for line in world.additions.values()}
    assert "Inactive" in {agreement.status for agreement in world.agreements.values()}
    assert "9745" in {line.product_id for one in world.contracts.values() for line in one.lines}


def test_a_scaled_world_has_its_size_and_one_difference_in_ten() -> None:
    world = scaled_world(1_000)
    assert len(world.accounts) == len(world.companies) == len(world.agreements) == len(world.contracts) == 1_000
    assert len({account.name for account in world.accounts.values()}) == 1_000
    assert 60 <= len(world.story("differs")) <= 140
    assert 1_400 <= len(world.additions) <= 1_600
    assert all(billed(world, one.company_id) != [agreed(world, one.account_code)] for one in world.story("differs"))
    with pytest.raises(ValueError, match="at least one"):
        scaled_world(0)


def test_a_saved_world_is_read_back_whole(tmp_path: Path) -> None:
    world = demo_world()
    world.edit_addition(88432, quantity=3)
    world.rename("vendor", "CSIM10B202", "Alderbrook Dental Care")
    world.commit_write(WriteRecord("2026-11-22T00:00:00Z", "PATCH", "/x", "[]"), 88432, quantity=4.0)
    world.save(tmp_path / "state.json")
    again = World.load(tmp_path / "state.json")
    assert world_bytes(again) == world_bytes(world)
    assert [line.id for line in again.lines_of(1201)] == [line.id for line in world.lines_of(1201)]
    assert list(tmp_path.iterdir()) == [tmp_path / "state.json"]


def test_every_change_is_on_disk_before_it_returns(tmp_path: Path) -> None:
    world = demo_world()
    world.state_file = tmp_path / "state.json"
    world.rename("psa", "250", "Alderbrook Dental Partners")
    assert World.load(tmp_path / "state.json").companies[250].name == "Alderbrook Dental Partners"
    world.set_agreed_seats("CSIM10B202", 5)
    kept = World.load(tmp_path / "state.json")
    assert (agreed(kept, "CSIM10B202"), kept.accounts["CSIM10B202"].partner_seats) == (5, 5)
    world.remove_account("CSIM10B202")
    assert "CSIM10B202" not in World.load(tmp_path / "state.json").accounts
    world.edit_agreement(1201, status="Expired")
    assert World.load(tmp_path / "state.json").agreements[1201].status == "Expired"


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"format":99}')
    with pytest.raises(ValueError, match="not a simulator state file"):
        World.load(path)


def test_ids_cannot_be_edited() -> None:
    world = demo_world()
    with pytest.raises(TypeError, match="no editable field id"):
        world.edit_addition(88432, id=1)
    with pytest.raises(TypeError, match="no editable field color"):
        world.edit_account("CSIM10B202", color="red")
