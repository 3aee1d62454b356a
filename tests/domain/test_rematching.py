"""After a change of PSA an account goes to a client only where its old client says so beyond doubt."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.accounts import AccountState, VendorAccountId
from trueup.domain.billing import PsaAccount, PsaAccountId
from trueup.domain.mapping import (
    FORMER_MAXIMUM,
    AccountEntry,
    Decision,
    FormerTarget,
    MappingState,
    in_system,
    with_former,
)
from trueup.domain.matching import MatchRule
from trueup.domain.rematching import rematch

HERE, THERE = "https://new.example", "https://old.example acme"
NAMES = ("Harbor Dental", "HARBOR DENTAL", "Harbor Dental Ltd", "Larkspur Legal", "Mossgate", "Test", "", "Quill")
NOW = datetime(2026, 9, 1, tzinfo=UTC)
BY_A_PERSON = Decision("dana", NOW, MatchRule.PERSON, "taken back")

formers = st.lists(
    st.builds(
        FormerTarget,
        system=st.sampled_from([HERE, THERE, "https://older.example"]),
        integration=st.sampled_from(["connectwise", "autotask", ""]),
        target_id=st.sampled_from(["1", "2", "3"]),
        target_name=st.sampled_from(NAMES),
    ),
    max_size=3,
    unique_by=lambda one: one.system,
)
clients = st.lists(
    st.builds(
        PsaAccount,
        id=st.sampled_from([PsaAccountId(str(number)) for number in range(1, 7)]),
        identifier=st.just(""),
        name=st.sampled_from(NAMES),
        deleted=st.booleans(),
        stored_ids=st.lists(
            st.tuples(st.sampled_from(["connectwise", "autotask"]), st.sampled_from(["1", "2", "3"])), max_size=2
        ).map(tuple),
    ),
    unique_by=lambda one: one.id,
    max_size=6,
)


@st.composite
def entries(draw: st.DrawFn) -> list[AccountEntry]:
    made = []
    for number in range(draw(st.integers(0, 6))):
        state = draw(st.sampled_from(list(MappingState)))
        mapped = state is MappingState.MAPPED
        made.append(
            AccountEntry(
                VendorAccountId(f"V{number}"),
                draw(st.sampled_from(NAMES)),
                AccountState.ACTIVE,
                state,
                psa_id=PsaAccountId(draw(st.sampled_from("123456"))) if mapped else None,
                decision=draw(st.sampled_from([None, BY_A_PERSON])),
                psa_system=HERE if mapped else "",
                former=tuple(draw(formers)),
            )
        )
    return made


@given(entries(), clients)
def test_what_is_found_is_free_living_and_of_one_former_client(
    known: list[AccountEntry], listed: list[PsaAccount]
) -> None:
    there = {client.id: client for client in listed}
    by_id = {entry.vendor_id: entry for entry in known}
    taken = {entry.psa_id for entry in known if entry.state is MappingState.MAPPED}
    sources: dict[PsaAccountId, set[tuple[str, str]]] = defaultdict(set)
    for one in rematch(known, there, HERE):
        entry = by_id[one.vendor_id]
        assert entry.state not in {MappingState.MAPPED, MappingState.EXCLUDED}
        assert not there[one.psa_id].deleted
        assert one.former in entry.former
        is_own = one.former.system == HERE and one.former.target_id == one.psa_id
        assert is_own or (entry.decision is None and one.psa_id not in taken)
        if not is_own:
            sources[one.psa_id].add((one.former.system, one.former.target_id))
    assert all(len(found) == 1 for found in sources.values()), "two former clients never become one"


@given(entries(), clients, st.randoms(use_true_random=False))
def test_the_order_of_what_is_known_does_not_matter(
    known: list[AccountEntry], listed: list[PsaAccount], random: object
) -> None:
    there = {client.id: client for client in listed}
    shuffled, turned = list(known), list(listed)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    random.shuffle(turned)  # type: ignore[attr-defined]
    again = rematch(shuffled, {client.id: client for client in turned}, HERE)
    assert again == rematch(known, there, HERE)


@given(entries(), st.sampled_from(["", HERE, THERE]))
def test_nothing_is_mapped_in_a_system_but_what_is_of_it_and_nothing_is_forgotten(
    known: list[AccountEntry], system: str
) -> None:
    for before, after in zip(known, in_system(known, system), strict=True):
        if system == THERE and before.state is MappingState.MAPPED:
            assert (after.state, after.psa_id, after.decision) == (MappingState.UNMAPPED, None, None)
            assert (after.former[0].system, after.former[0].target_id) == (HERE, before.psa_id)
            assert after.former[0].decision == before.decision
        else:
            assert after == before


def test_each_system_has_one_former_mapping_and_only_so_many_are_kept() -> None:
    former: tuple[FormerTarget, ...] = ()
    for number in range(FORMER_MAXIMUM + 5):
        former = with_former(former, FormerTarget(f"https://{number}.example", "", "1", "x"))
    former = with_former(former, FormerTarget("https://9.example", "", "2", "y"))
    assert len(former) == FORMER_MAXIMUM
    assert [one.target_id for one in former if one.system == "https://9.example"] == ["2"]
    assert former[0].target_id == "2"


@pytest.mark.parametrize("stored", [(("connectwise", "7"),), (("autotask", "7"),)])
def test_only_the_last_company_of_a_kind_is_looked_for_by_its_ids(stored: tuple[tuple[str, str], ...]) -> None:
    """An id 7 of the company before the last one says nothing: the PSA keeps no company beside the id."""
    entry = AccountEntry(
        VendorAccountId("V1"), "Vendor", AccountState.ACTIVE, MappingState.UNMAPPED,
        former=(FormerTarget(THERE, "connectwise", "1", "One"), FormerTarget("x", "connectwise", "7", "Seven")),
    )  # fmt: skip
    client = PsaAccount(PsaAccountId("20"), "", "Other", stored_ids=stored)
    assert rematch([entry], {client.id: client}, HERE) == ()
