"""Telling people: once for each cause, period and channel, also when a channel fails or a process stops between."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.connections import PSA_HOST, FakeConnections
from tests.fakes.notices import FakeChannels, FakeTickets
from tests.fakes.psa import FakePsa
from tests.fakes.state import FakeState, fake_state
from tests.fakes.vault import FakeVault
from tests.fakes.vendor import FakeVendor
from trueup.domain.errors import (
    InputInvalid,
    NotConnected,
    NotFound,
    StateUnavailable,
    UnsafeAddress,
    VendorUnavailable,
    VersionConflict,
    WriteOutcomeUnknown,
)
from trueup.domain.integrations import ConnectionState, Integration, IntegrationName
from trueup.domain.notices import (
    CHOSEN_KINDS,
    SENDING_MAXIMUM,
    TICKET_KINDS,
    ChannelName,
    Delivery,
    DeliveryState,
    Letterhead,
    Notice,
    NoticeKind,
    NoticeLine,
)
from trueup.usecases.notices import (
    NoticeSystems,
    channel_settings,
    notify,
    remove_channel,
    set_channel,
    try_channel,
)

SLACK_URL = "https://slack.example/secret-path-ABCD"
AWAY = VendorUnavailable("it is away", integration="slack")
UNCLEAR = WriteOutcomeUnknown("nobody knows", integration="slack")


class Stopped(BaseException):
    """The process stops: nothing after it is carried out."""


@dataclass(slots=True)
class Desk:
    """Everything notices are sent with, in memory; ConnectWise is connected."""

    state: FakeState
    vault: FakeVault
    channels: FakeChannels
    tickets: FakeTickets
    clock: FakeClock

    @property
    def systems(self) -> NoticeSystems:
        connections = FakeConnections(FakeVendor(self.clock), FakePsa(self.clock), ticket_creation=self.tickets)
        return NoticeSystems(
            self.state.notices,
            self.state.integrations,
            self.vault,
            connections,
            self.channels,
            Letterhead("acme-msp", "https://trueup.acme.example"),
            self.clock,
        )

    def set(self, name: ChannelName, **more: object) -> None:
        set_channel(name, actor="ada", systems=self.systems, **more)  # type: ignore[arg-type]

    def tell(self, notice: Notice) -> dict[ChannelName, Delivery]:
        return {one.channel: one for one in notify(notice, systems=self.systems)}

    def later(self) -> None:
        self.clock.advance(SENDING_MAXIMUM.total_seconds() + 1)


@pytest.fixture
def desk() -> Desk:
    clock = FakeClock()
    state, vault = fake_state(clock), FakeVault()
    state.integrations.save(
        Integration(IntegrationName.CONNECTWISE, ConnectionState.ACTIVE, address=PSA_HOST), audit=None
    )
    vault.put("connectwise", host=PSA_HOST, fields={"private_key": "kept"})
    return Desk(state, vault, FakeChannels(), FakeTickets(), clock)


def a_notice(cause: str = "plan-1", kind: NoticeKind = NoticeKind.APPROVAL_WANTED) -> Notice:
    return Notice(kind, "2026-09", cause, "3 changes wait", (NoticeLine("Harbor Dental"),), FakeClock().now())


class TestTelling:
    def test_every_channel_that_takes_the_kind_is_told_once(self, desk: Desk) -> None:
        desk.set(ChannelName.SLACK, webhook_url=SLACK_URL)
        desk.set(ChannelName.TICKET, ticket={"company_id": "2"})
        first = desk.tell(a_notice())
        assert {name: one.state for name, one in first.items()} == dict.fromkeys(
            (ChannelName.EMAIL, ChannelName.SLACK, ChannelName.TICKET), DeliveryState.SENT
        )
        assert desk.tell(a_notice()) == first
        assert len(desk.channels.mail.arrived) == 1
        assert len(desk.channels.hooks[ChannelName.SLACK].arrived) == 1
        assert len(desk.tickets.tickets) == 1
        assert desk.channels.opened == [(ChannelName.SLACK, "https://slack.example", "/secret-path-ABCD")]

    def test_another_cause_and_another_month_are_told_again(self, desk: Desk) -> None:
        for notice in (a_notice(), a_notice("plan-2"), replace(a_notice(), period="2026-10")):
            desk.tell(notice)
        assert len(desk.channels.mail.arrived) == 3

    def test_a_kind_that_nobody_asked_for_is_not_sent(self, desk: Desk) -> None:
        desk.set(ChannelName.EMAIL, kinds=[NoticeKind.RUN_MISSED])
        assert desk.tell(a_notice()) == {}
        assert set(desk.tell(a_notice(kind=NoticeKind.RUN_MISSED))) == {ChannelName.EMAIL}

    def test_tickets_are_for_what_a_person_must_do(self, desk: Desk) -> None:
        desk.set(ChannelName.TICKET, ticket={"company_id": "2"})
        assert ChannelName.TICKET not in desk.tell(a_notice(kind=NoticeKind.RUN_FINISHED))
        assert NoticeKind.APPROVAL_WANTED in TICKET_KINDS

    def test_a_ticket_is_short_has_its_mark_and_says_everything(self, desk: Desk) -> None:
        desk.set(ChannelName.TICKET, ticket={"company_id": "2", "queue_id": "8"})
        long = replace(a_notice(), subject="many words " * 40, lines=(NoticeLine("Smith & <Sons>"),) * 300)
        desk.tell(long)
        (made,) = desk.tickets.tickets
        assert len(made.summary) <= 100
        assert made.summary.startswith(f"[{made.marker}] Trueup acme-msp: many words")
        assert "Smith & <Sons>" in made.details
        assert len(made.details) <= 7_000
        assert (made.place.company_id, made.place.queue_id) == ("2", "8")


class TestFailing:
    def test_a_channel_that_fails_is_recorded_and_the_others_are_told(self, desk: Desk) -> None:
        desk.set(ChannelName.SLACK, webhook_url=SLACK_URL)
        desk.channels.mail.trouble = AWAY
        told = desk.tell(a_notice())
        assert told[ChannelName.EMAIL].state is DeliveryState.FAILED
        assert "it is away" in told[ChannelName.EMAIL].reason
        assert told[ChannelName.SLACK].state is DeliveryState.SENT
        again = desk.tell(a_notice())
        assert again[ChannelName.EMAIL].state is DeliveryState.SENT
        assert again[ChannelName.EMAIL].attempts == 2
        assert len(desk.channels.hooks[ChannelName.SLACK].arrived) == 1

    def test_a_channel_whose_secret_is_gone_fails_alone(self, desk: Desk) -> None:
        desk.set(ChannelName.SLACK, webhook_url=SLACK_URL)
        desk.vault.delete("notice-slack")
        told = desk.tell(a_notice())
        assert told[ChannelName.SLACK].state is DeliveryState.FAILED
        assert told[ChannelName.EMAIL].state is DeliveryState.SENT

    @pytest.mark.parametrize("arrives", [True, False])
    def test_a_message_whose_fate_is_unknown_is_sent_once_more_at_most(self, desk: Desk, arrives: bool) -> None:
        desk.channels.mail.trouble, desk.channels.mail.arrives = UNCLEAR, arrives
        assert desk.tell(a_notice())[ChannelName.EMAIL].state is DeliveryState.UNKNOWN
        desk.channels.mail.trouble = UNCLEAR
        assert desk.tell(a_notice())[ChannelName.EMAIL].state is DeliveryState.UNKNOWN
        desk.tell(a_notice())
        assert len(desk.channels.mail.arrived) == (2 if arrives else 0)
        assert desk.tell(a_notice())[ChannelName.EMAIL].attempts == 2

    def test_a_ticket_that_may_have_been_made_is_looked_for_and_found(self, desk: Desk) -> None:
        desk.set(ChannelName.TICKET, ticket={"company_id": "2"})
        desk.tickets.trouble, desk.tickets.makes = UNCLEAR, True
        assert desk.tell(a_notice())[ChannelName.TICKET].state is DeliveryState.UNKNOWN
        settled = desk.tell(a_notice())[ChannelName.TICKET]
        assert (settled.state, settled.reference) == (DeliveryState.SENT, "1")
        assert len(desk.tickets.tickets) == 1

    def test_a_ticket_that_may_have_been_made_and_is_not_found_is_never_made_again(self, desk: Desk) -> None:
        desk.set(ChannelName.TICKET, ticket={"company_id": "2"})
        desk.tickets.trouble, desk.tickets.makes = UNCLEAR, True
        desk.tell(a_notice())
        desk.tickets.closed.add(1)
        for _ in range(3):
            left = desk.tell(a_notice())[ChannelName.TICKET]
            assert left.state is DeliveryState.UNKNOWN
            assert "not made a second time" in left.reason
        assert len(desk.tickets.tickets) == 1

    def test_a_ticket_that_the_psa_refused_is_made_later(self, desk: Desk) -> None:
        desk.set(ChannelName.TICKET, ticket={"company_id": "2"})
        desk.tickets.trouble = AWAY
        assert desk.tell(a_notice())[ChannelName.TICKET].state is DeliveryState.FAILED
        assert desk.tell(a_notice())[ChannelName.TICKET].state is DeliveryState.SENT
        assert len(desk.tickets.tickets) == 1

    def test_tickets_of_a_psa_that_is_not_connected_any_more_fail_with_the_way_out(self, desk: Desk) -> None:
        desk.set(ChannelName.TICKET, ticket={"company_id": "2"})
        one = desk.state.integrations.get(IntegrationName.CONNECTWISE)
        desk.state.integrations.save(replace(one, state=ConnectionState.NOT_CONNECTED), None)
        desk.state.integrations.save(Integration(IntegrationName.HALOPSA, ConnectionState.ACTIVE, PSA_HOST), None)
        told = desk.tell(a_notice())[ChannelName.TICKET]
        assert told.state is DeliveryState.FAILED
        assert "HaloPSA is connected" in told.reason

    def test_when_the_store_is_away_nothing_is_sent(self, desk: Desk) -> None:
        desk.state.switches.fail("notices.save")
        with pytest.raises(StateUnavailable):
            desk.tell(a_notice())
        assert desk.channels.mail.arrived == []


class TestStopping:
    """A process may stop at any point; telling again must not tell twice, nor lose it where that can be helped."""

    def test_before_the_claim(self, desk: Desk) -> None:
        desk.state.switches.fail("notices.save", Stopped())
        with pytest.raises(Stopped):
            desk.tell(a_notice())
        desk.tell(a_notice())
        assert len(desk.channels.mail.arrived) == 1

    def test_after_the_claim_and_before_the_send(self, desk: Desk) -> None:
        desk.state.switches.fail("notices.save", Stopped(), when="after")
        with pytest.raises(Stopped):
            desk.tell(a_notice())
        assert desk.tell(a_notice())[ChannelName.EMAIL].state is DeliveryState.SENDING, "it may be on the way"
        desk.later()
        assert desk.tell(a_notice())[ChannelName.EMAIL].state is DeliveryState.SENT
        assert len(desk.channels.mail.arrived) == 1

    def test_in_the_middle_of_the_send(self, desk: Desk) -> None:
        desk.channels.mail.trouble, desk.channels.mail.arrives = Stopped(), True
        with pytest.raises(Stopped):
            desk.tell(a_notice())
        desk.later()
        desk.tell(a_notice())
        desk.later()
        desk.tell(a_notice())
        assert len(desk.channels.mail.arrived) == 2, (
            "nobody can know that it arrived, so it comes once more and no third"
        )

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_between_the_send_and_its_record(self, desk: Desk, when: str) -> None:
        desk.set(ChannelName.TICKET, ticket={"company_id": "2"})
        desk.set(ChannelName.EMAIL, kinds=[NoticeKind.RUN_MISSED])
        desk.state.switches.fail("notices.save", Stopped(), when=when, skip=1)  # type: ignore[arg-type]
        with pytest.raises(Stopped):
            desk.tell(a_notice())
        desk.later()
        assert desk.tell(a_notice())[ChannelName.TICKET].state is DeliveryState.SENT
        assert len(desk.tickets.tickets) == 1

    def test_of_two_processes_only_one_sends(self, desk: Desk) -> None:
        desk.state.switches.fail("notices.save", VersionConflict("the other was faster"))
        told = desk.tell(a_notice())[ChannelName.EMAIL]
        assert desk.channels.mail.arrived == []
        assert told.state is DeliveryState.SENDING

    def test_the_record_of_a_faster_process_is_kept(self, desk: Desk) -> None:
        desk.state.switches.fail("notices.save", VersionConflict("the other was faster"), skip=1)
        told = desk.tell(a_notice())[ChannelName.EMAIL]
        assert told.version == 1, "what is stored, and not what this process thought"


class TestSetting:
    def test_e_mail_takes_everything_where_there_is_a_topic_until_somebody_says_otherwise(self, desk: Desk) -> None:
        (email,) = [one for one in channel_settings(desk.systems) if one.is_set]
        assert (email.name, email.kinds) == (ChannelName.EMAIL, frozenset(CHOSEN_KINDS))
        remove_channel(ChannelName.EMAIL, actor="ada", systems=desk.systems)
        assert not [one for one in channel_settings(desk.systems) if one.is_set]
        assert desk.tell(a_notice()) == {}

    def test_without_a_topic_there_is_no_e_mail(self, desk: Desk) -> None:
        desk.channels.has_topic = False
        assert not [one for one in channel_settings(desk.systems) if one.is_set]
        with pytest.raises(NotConnected):
            desk.set(ChannelName.EMAIL)

    def test_a_webhook_is_kept_in_the_vault_and_shown_by_its_end(self, desk: Desk) -> None:
        stored = set_channel(ChannelName.SLACK, actor="ada", systems=desk.systems, webhook_url=SLACK_URL)
        assert (stored.host, stored.tail) == ("https://slack.example", "ABCD")
        assert desk.vault.get("notice-slack", host="https://slack.example") == {"path": "/secret-path-ABCD"}
        events = [event.audit for event in desk.state.history.all()]
        assert [one.action for one in events] == ["notice channel set"]
        assert "secret-path" not in repr((stored, events))

    def test_what_a_channel_takes_may_change_without_its_address(self, desk: Desk) -> None:
        desk.set(ChannelName.SLACK, webhook_url=SLACK_URL)
        desk.set(ChannelName.SLACK, kinds=[NoticeKind.RUN_MISSED])
        (slack,) = [one for one in channel_settings(desk.systems) if one.name is ChannelName.SLACK]
        assert (slack.kinds, slack.tail) == (frozenset({NoticeKind.RUN_MISSED}), "ABCD")

    def test_a_webhook_needs_an_address_of_its_own_service(self, desk: Desk) -> None:
        with pytest.raises(InputInvalid, match="needs the address") as missing:
            desk.set(ChannelName.SLACK)
        assert missing.value.field == "webhook_url"
        with pytest.raises(UnsafeAddress):
            desk.set(ChannelName.TEAMS, webhook_url=SLACK_URL)
        assert desk.state.notices.settings()[0].version == 0

    def test_a_removed_channel_forgets_its_address(self, desk: Desk) -> None:
        desk.set(ChannelName.SLACK, webhook_url=SLACK_URL)
        remove_channel(ChannelName.SLACK, actor="ada", systems=desk.systems)
        with pytest.raises(NotConnected):
            desk.vault.get("notice-slack", host="https://slack.example")
        with pytest.raises(NotFound):
            remove_channel(ChannelName.SLACK, actor="ada", systems=desk.systems)
        desk.set(ChannelName.SLACK, webhook_url=SLACK_URL)
        assert desk.tell(a_notice())[ChannelName.SLACK].state is DeliveryState.SENT

    @pytest.mark.parametrize(
        ("name", "more", "field"),
        [
            (ChannelName.EMAIL, {"webhook_url": SLACK_URL}, "webhook_url"),
            (ChannelName.SLACK, {"ticket": {"company_id": "2"}, "webhook_url": SLACK_URL}, "ticket"),
            (ChannelName.EMAIL, {"kinds": [NoticeKind.TEST]}, "kinds"),
            (ChannelName.TICKET, {}, "company_id"),
            (ChannelName.TICKET, {"ticket": {"company_id": "two"}}, "company_id"),
            (ChannelName.TICKET, {"ticket": {"company_id": "2", "queue_id": "1; drop"}}, "queue_id"),
            (ChannelName.TICKET, {"ticket": {"company_id": "2", "color": "red"}}, "color"),
        ],
    )
    def test_bad_settings_name_the_field(
        self, desk: Desk, name: ChannelName, more: dict[str, object], field: str
    ) -> None:
        with pytest.raises(InputInvalid) as refused:
            desk.set(name, **more)
        assert refused.value.field == field

    def test_each_psa_takes_what_it_knows(self, desk: Desk) -> None:
        one = desk.state.integrations.get(IntegrationName.CONNECTWISE)
        desk.state.integrations.save(replace(one, state=ConnectionState.NOT_CONNECTED), None)
        autotask = desk.state.integrations.save(
            Integration(IntegrationName.AUTOTASK, ConnectionState.ACTIVE, PSA_HOST), None
        )
        with pytest.raises(InputInvalid, match="Autotask needs the queue"):
            desk.set(ChannelName.TICKET, ticket={"company_id": "0"})
        desk.state.integrations.save(replace(autotask, state=ConnectionState.NOT_CONNECTED), None)
        halo = desk.state.integrations.save(
            Integration(IntegrationName.HALOPSA, ConnectionState.ACTIVE, PSA_HOST), None
        )
        with pytest.raises(InputInvalid, match="HaloPSA takes no queue"):
            desk.set(ChannelName.TICKET, ticket={"company_id": "2", "queue_id": "3"})
        desk.state.integrations.save(replace(halo, state=ConnectionState.NOT_CONNECTED), None)
        desk.state.integrations.save(Integration(IntegrationName.SYNCRO, ConnectionState.ACTIVE, PSA_HOST), None)
        with pytest.raises(InputInvalid, match="no tickets are made in Syncro"):
            desk.set(ChannelName.TICKET, ticket={"company_id": "2"})


class TestTrying:
    def test_a_trial_is_sent_whatever_the_channel_takes_and_each_time(self, desk: Desk) -> None:
        desk.set(ChannelName.EMAIL, kinds=[NoticeKind.RUN_MISSED])
        for seconds in (0, 1):
            desk.clock.advance(seconds)
            tried = try_channel(ChannelName.EMAIL, actor="ada", period="2026-09", systems=desk.systems)
            assert tried.state is DeliveryState.SENT
        assert len(desk.channels.mail.arrived) == 2

    def test_a_trial_that_fails_says_why(self, desk: Desk) -> None:
        desk.channels.mail.trouble = AWAY
        tried = try_channel(ChannelName.EMAIL, actor="ada", period="2026-09", systems=desk.systems)
        assert tried.state is DeliveryState.FAILED
        assert "it is away" in tried.reason

    def test_a_channel_that_is_not_set_cannot_be_tried(self, desk: Desk) -> None:
        with pytest.raises(NotFound):
            try_channel(ChannelName.TEAMS, actor="ada", period="2026-09", systems=desk.systems)
