"""What every PSA must do with tickets: make one by one request, find it by its mark while it is open, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

import pytest

from local.simulators.autotask import AutotaskSimulator
from local.simulators.connectwise import ConnectWiseSimulator
from local.simulators.halopsa import HaloPsaSimulator
from local.simulators.server import Simulator, running
from local.simulators.tickets import close, tickets_of
from tests.contracts.psa_subject_autotask import AUTOTASK_FIELDS
from tests.contracts.psa_subject_connectwise import CONNECTWISE_FIELDS, world_of
from tests.contracts.psa_subject_halopsa import HALOPSA_FIELDS
from tests.contracts.psa_subjects import Scene, an_account
from tests.fakes.clock import FakeClock
from tests.fakes.notices import FakeTickets
from trueup.adapters.autotask.tickets import open_tickets as open_autotask
from trueup.adapters.connectwise.tickets import open_tickets as open_connectwise
from trueup.adapters.halopsa.tickets import open_tickets as open_halopsa
from trueup.domain.errors import (
    CredentialRejected,
    InputInvalid,
    PermissionMissing,
    TrueupError,
    VendorUnavailable,
    WriteOutcomeUnknown,
)
from trueup.domain.integrations import IntegrationName
from trueup.domain.notices import TicketPlace
from trueup.ports.psa_tickets import NewTicket, TicketCreation

SCENE = Scene((an_account(250, "Our own company"), an_account(251, "Another company")), (), (), ())
MARK = "trueup-0123456789abcdef"
HOSTILE = "Smith & <Sons>\n<img src=x onerror=alert(1)> \"quoted\" 'single' %like% *"


class Closable(TicketCreation, Protocol):
    def close(self) -> None: ...


@dataclass(slots=True)
class Desk:
    """One PSA with tickets. ``simulator`` is None for the fake, which cannot be put into trouble over a socket."""

    tickets: TicketCreation
    place: TicketPlace
    simulator: Simulator | None
    posts: str = ""
    lists: str = ""
    list_method: str = "GET"
    fields: dict[str, str] = field(default_factory=dict)

    def kept(self) -> list[dict[str, object]]:
        assert self.simulator is not None
        return tickets_of(self.simulator.world)

    def posted(self) -> int:
        assert self.simulator is not None
        entries = self.simulator.requests.entries
        return sum(entry.method == "POST" and entry.path.endswith(self.posts) for entry in entries)


def a_place(psa: IntegrationName) -> TicketPlace:
    if psa is IntegrationName.AUTOTASK:
        return TicketPlace(psa, "250", "8", "2", "1")
    return TicketPlace(psa, "250", priority_id="3")


@contextmanager
def opened(
    simulator: Simulator, psa: IntegrationName, open_: Callable[..., Closable], fields: object, **more: str
) -> Iterator[Desk]:
    with running(simulator) as there:
        tickets = open_(there.url, fields, clock=FakeClock(), allow_loopback=True)
        try:
            yield Desk(tickets, a_place(psa), there, **more)
        finally:
            tickets.close()


@contextmanager
def connectwise() -> Iterator[Desk]:
    with opened(
        ConnectWiseSimulator(world_of(SCENE)), IntegrationName.CONNECTWISE, open_connectwise, CONNECTWISE_FIELDS,
        posts="/service/tickets", lists="/service/tickets",
    ) as desk:  # fmt: skip
        yield desk


@contextmanager
def autotask() -> Iterator[Desk]:
    with opened(
        AutotaskSimulator(world_of(SCENE)), IntegrationName.AUTOTASK, open_autotask, AUTOTASK_FIELDS,
        posts="/Tickets", lists="/Tickets/query", list_method="POST",
    ) as desk:  # fmt: skip
        yield desk


@contextmanager
def halopsa() -> Iterator[Desk]:
    with opened(
        HaloPsaSimulator(world_of(SCENE)), IntegrationName.HALOPSA, open_halopsa, HALOPSA_FIELDS,
        posts="/Tickets", lists="/Tickets",
    ) as desk:  # fmt: skip
        yield desk


@contextmanager
def fake() -> Iterator[Desk]:
    yield Desk(FakeTickets(), a_place(IntegrationName.CONNECTWISE), None)


SIMULATED = {"connectwise": connectwise, "autotask": autotask, "halopsa": halopsa}


@pytest.fixture(params=["fake", *SIMULATED])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with (SIMULATED | {"fake": fake})[request.param]() as there:
        yield there


@pytest.fixture(params=SIMULATED)
def simulated(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with SIMULATED[request.param]() as there:
        yield there


def a_ticket(desk: Desk, mark: str = MARK, details: str = "3 changes wait") -> NewTicket:
    return NewTicket(desk.place, f"[{mark}] Trueup acme: 3 changes", details, mark)


def test_what_was_made_is_found_by_its_mark(desk: Desk) -> None:
    assert desk.tickets.find_open(desk.place, MARK) is None
    number = desk.tickets.create(a_ticket(desk))
    assert number
    assert desk.tickets.find_open(desk.place, MARK) == number
    assert desk.tickets.find_open(desk.place, "trueup-fedcba9876543210") is None


def test_the_first_of_several_is_found(desk: Desk) -> None:
    first = desk.tickets.create(a_ticket(desk))
    desk.tickets.create(a_ticket(desk))
    desk.tickets.create(a_ticket(desk, "trueup-fedcba9876543210"))
    assert desk.tickets.find_open(desk.place, MARK) == first


def test_another_companys_ticket_is_not_found(desk: Desk) -> None:
    desk.tickets.create(a_ticket(desk))
    assert desk.tickets.find_open(replace(desk.place, company_id="251"), MARK) is None


def test_a_closed_ticket_is_not_found(simulated: Desk) -> None:
    number = simulated.tickets.create(a_ticket(simulated))
    assert simulated.simulator is not None
    close(simulated.simulator.world, int(number))
    assert simulated.tickets.find_open(simulated.place, MARK) is None


def test_what_was_said_arrives_whole_and_as_text(simulated: Desk) -> None:
    simulated.tickets.create(a_ticket(simulated, details=HOSTILE))
    (kept,) = simulated.kept()
    said = kept.get("initialDescription") or kept.get("description") or kept["details_html"]
    if "details_html" in kept:
        assert "<img" not in str(said)
        assert str(said).startswith("Smith &amp; &lt;Sons&gt;<br>")
    else:
        assert said == HOSTILE


def test_the_numbers_of_the_place_are_sent(simulated: Desk) -> None:
    simulated.tickets.create(a_ticket(simulated))
    (kept,) = simulated.kept()
    psa = simulated.place.psa
    if psa is IntegrationName.CONNECTWISE:
        assert (kept["company"], kept["priority"]) == ({"id": 250}, {"id": 3})
        assert "board" not in kept, "what is not given is the site's own"
    elif psa is IntegrationName.AUTOTASK:
        assert (kept["companyID"], kept["queueID"], kept["priority"], kept["status"]) == (250, 8, 2, 1)
        assert kept["dueDateTime"] == "2026-09-04T06:00:00Z"
    else:
        assert (kept["client_id"], kept["priority_id"]) == (250, 3)
        assert "tickettype_id" not in kept


def test_a_lost_reply_is_unknown_and_the_request_is_not_repeated(simulated: Desk) -> None:
    assert simulated.simulator is not None
    simulated.simulator.faults.add("drop_after_commit", method="POST", path=f"*{simulated.posts}", times=1)
    with pytest.raises(WriteOutcomeUnknown):
        simulated.tickets.create(a_ticket(simulated))
    assert simulated.posted() == 1
    assert len(simulated.kept()) == 1
    assert simulated.tickets.find_open(simulated.place, MARK) == str(simulated.kept()[0]["id"])


def test_a_refusal_is_a_sure_failure_with_the_psas_own_words(simulated: Desk) -> None:
    stranger = replace(simulated.place, company_id="999999")
    if simulated.place.psa is IntegrationName.HALOPSA:
        ticket = replace(a_ticket(simulated), summary="")
    else:
        ticket = replace(a_ticket(simulated), place=stranger)
    with pytest.raises(TrueupError) as refused:
        simulated.tickets.create(ticket)
    assert not isinstance(refused.value, WriteOutcomeUnknown)
    assert simulated.kept() == []
    assert "ompany" in refused.value.message or "summary" in refused.value.message


@pytest.mark.parametrize(("status", "kind"), [(401, CredentialRejected), (403, PermissionMissing)])
def test_a_credential_that_may_not_is_told_with_what_it_lacks(simulated: Desk, status: int, kind: type) -> None:
    assert simulated.simulator is not None
    path = f"*{simulated.posts}"
    simulated.simulator.faults.add("status", method="POST", path=path, status=status, times=9)
    with pytest.raises(kind) as refused:
        simulated.tickets.create(a_ticket(simulated))
    if kind is PermissionMissing:
        assert "icket" in refused.value.message
    assert simulated.kept() == []


def test_a_list_that_cannot_be_read_is_no_empty_list(simulated: Desk) -> None:
    assert simulated.simulator is not None
    simulated.tickets.create(a_ticket(simulated))
    simulated.simulator.faults.add(
        "status", method=simulated.list_method, path=f"*{simulated.lists}", status=502, times=9
    )
    with pytest.raises(VendorUnavailable):
        simulated.tickets.find_open(simulated.place, MARK)


@pytest.mark.parametrize("mark", ["", "short", 'a" or summary like "%', "trueup-0123456789abcdef%", "x" * 61])
def test_a_mark_that_could_be_read_as_a_condition_is_refused(simulated: Desk, mark: str) -> None:
    with pytest.raises(InputInvalid):
        simulated.tickets.find_open(simulated.place, mark)


def test_a_place_that_is_no_number_is_refused_before_anything_is_sent(simulated: Desk) -> None:
    nowhere = replace(simulated.place, company_id="250 or 1=1")
    with pytest.raises(InputInvalid):
        simulated.tickets.find_open(nowhere, MARK)
    with pytest.raises(InputInvalid):
        simulated.tickets.create(replace(a_ticket(simulated), place=nowhere))
    assert simulated.posted() == 0
