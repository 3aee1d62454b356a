"""What every state must do for notices: what was told where, claimed once, and how the channels are set."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contracts.state_samples import HOSTILE_NAMES, NOW, audit
from tests.contracts.test_state_contract import actions
from tests.store_fixture import StateSubject
from trueup.domain.errors import VersionConflict
from trueup.domain.integrations import IntegrationName
from trueup.domain.notices import (
    ChannelName,
    ChannelSetting,
    Delivery,
    DeliveryState,
    NoticeKind,
    TicketPlace,
)
from trueup.ports.state_bundle import State


def delivery(key: str = "approval_wanted 2026-09 plan-1", minutes: int = 0, **more: object) -> Delivery:
    at = NOW + timedelta(minutes=minutes)
    fresh = Delivery(
        ChannelName.SLACK, NoticeKind.APPROVAL_WANTED, "2026-09", key, "3 changes", DeliveryState.SENDING, 1, at, at
    )
    return replace(fresh, **more)  # type: ignore[arg-type]


class TestDeliveries:
    def test_a_claim_comes_back_whole(self, subject: StateSubject) -> None:
        saved = subject.state.notices.save(delivery())
        assert saved == replace(delivery(), version=1)
        found = subject.reopen().notices.delivery("2026-09", saved.key, ChannelName.SLACK)
        assert found == saved

    def test_of_two_claims_only_one_is_stored(self, state: State) -> None:
        state.notices.save(delivery(attempts=1))
        with pytest.raises(VersionConflict):
            state.notices.save(delivery(attempts=9))
        found = state.notices.delivery("2026-09", delivery().key, ChannelName.SLACK)
        assert found is not None
        assert found.attempts == 1

    def test_a_result_is_refused_when_the_claim_moved(self, state: State) -> None:
        mine = state.notices.save(delivery())
        theirs = state.notices.save(replace(mine, attempts=2))
        with pytest.raises(VersionConflict):
            state.notices.save(replace(mine, state=DeliveryState.SENT))
        assert state.notices.delivery("2026-09", mine.key, ChannelName.SLACK) == theirs

    def test_channels_periods_and_keys_are_apart(self, state: State) -> None:
        state.notices.save(delivery())
        assert state.notices.delivery("2026-09", delivery().key, ChannelName.TEAMS) is None
        assert state.notices.delivery("2026-10", delivery().key, ChannelName.SLACK) is None
        assert state.notices.delivery("2026-09", "another", ChannelName.SLACK) is None

    @pytest.mark.parametrize("key", HOSTILE_NAMES)
    def test_a_key_may_hold_anything(self, state: State, key: str) -> None:
        saved = state.notices.save(delivery(key))
        assert state.notices.delivery("2026-09", key, ChannelName.SLACK) == saved
        assert state.notices.of_period("2026-09") == (saved,)

    def test_a_period_lists_its_own_the_newest_first(self, state: State) -> None:
        for number, key in enumerate(("b", "c", "a")):
            state.notices.save(delivery(key, minutes=number))
        state.notices.save(delivery("d", minutes=9, period="2026-10"))
        state.notices.save(delivery("a", minutes=2, channel=ChannelName.EMAIL))
        listed = [(one.key, one.channel.value) for one in state.notices.of_period("2026-09")]
        assert listed == [("a", "slack"), ("a", "email"), ("c", "slack"), ("b", "slack")]
        assert state.notices.of_period("2026-11") == ()

    def test_telling_leaves_no_trace_in_the_history(self, state: State) -> None:
        state.notices.save(delivery())
        assert actions(state) == []


class TestSettings:
    def test_there_is_one_for_each_channel_set_or_not(self, state: State) -> None:
        assert state.notices.settings() == tuple(ChannelSetting(name) for name in ChannelName)

    def test_a_setting_comes_back_whole_with_its_audit(self, subject: StateSubject) -> None:
        wanted = ChannelSetting(
            ChannelName.TICKET,
            frozenset({NoticeKind.RUN_MISSED, NoticeKind.ORDER_LATE}),
            is_set=True,
            ticket=TicketPlace(IntegrationName.AUTOTASK, "0", "8", "2", "1"),
            set_by="ada",
            set_at=NOW,
        )
        saved = subject.state.notices.save_setting(wanted, audit("notice channel set"))
        assert saved == replace(wanted, version=1)
        assert [one for one in subject.reopen().notices.settings() if one.is_set] == [saved]
        assert actions(subject.state) == ["notice channel set"]

    def test_one_that_moved_is_refused_and_nothing_is_stored(self, state: State) -> None:
        first = state.notices.save_setting(ChannelSetting(ChannelName.SLACK, is_set=True), audit("set"))
        for version in (0, 9):
            with pytest.raises(VersionConflict):
                state.notices.save_setting(replace(first, version=version, is_set=False), audit("lost"))
        assert first in state.notices.settings()
        assert actions(state) == ["set"]
