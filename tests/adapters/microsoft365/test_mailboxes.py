"""What mailboxes are for: in batches whose replies stand for themselves, and never a reason for a tenant to fail."""

from __future__ import annotations

import pytest

from tests.adapters.microsoft365.connected import BATCH, HARBOR, MAILBOX, QUAY, Connected, connected, of
from tests.contracts.license_subjects import Tenant
from trueup.domain.errors import RateLimited
from trueup.domain.licenses import MailboxKind

LARGE = Tenant(1, HARBOR.name, 45)
UNKNOWN, USER = MailboxKind.UNKNOWN, MailboxKind.USER


def mailbox_of(site: Connected, number: int) -> str:
    """The path of one user's mailbox."""
    return f"/v1.0/users/{LARGE.id[:24]}{number:012x}/mailboxSettings"


def kinds(site: Connected) -> list[MailboxKind]:
    return [user.mailbox for user in site.users()]


def test_without_the_permission_every_mailbox_is_unknown_and_is_not_asked_for_again_and_again() -> None:
    with connected((LARGE,)) as site:
        site.simulator.mailboxes_allowed = False
        assert set(kinds(site)) == {UNKNOWN}
        assert site.asked(BATCH, "POST") == 1


def test_batches_that_are_refused_leave_every_mailbox_unknown() -> None:
    with connected((LARGE,)) as site:
        site.simulator.faults.add("status", path=BATCH, times=0, status=403)
        assert set(kinds(site)) == {UNKNOWN}


def test_a_mailbox_that_may_not_be_read_is_unknown_alone() -> None:
    with connected((LARGE,)) as site:
        for number, status in ((1, 403), (2, 404), (3, 410)):
            site.simulator.faults.add("status", path=mailbox_of(site, number), times=0, status=status)
        assert kinds(site) == [UNKNOWN] * 3 + [USER] * 42


@pytest.mark.parametrize("raw", ['"others"', '"unknownFutureValue"', '"spaceship"', "null", "7"])
def test_a_purpose_that_says_nothing_is_unknown(raw: str) -> None:
    with connected((HARBOR,)) as site:
        site.simulator.faults.add("set_field", path=BATCH, field="userPurpose", raw=raw)
        assert set(kinds(site)) == {UNKNOWN}


@pytest.mark.fault("T1")
def test_T1_only_what_was_asked_to_wait_is_asked_for_again_after_the_longest_wait() -> None:
    with connected((LARGE,)) as site:
        site.simulator.faults.add("rate_limited", path=mailbox_of(site, 3), retry_after="4")
        site.simulator.faults.add("rate_limited", path=mailbox_of(site, 7), retry_after="9")
        assert set(kinds(site)) == {USER}
        assert site.clock.sleeps == [9]
        assert site.asked(BATCH, "POST") == 4


@pytest.mark.fault("T1")
def test_T1_a_long_wait_inside_a_batch_is_the_callers() -> None:
    with connected((LARGE, QUAY)) as site:
        site.simulator.faults.add("rate_limited", path=mailbox_of(site, 3), times=0, retry_after="120")
        with pytest.raises(RateLimited) as caught:
            site.source.read_page(None)
        assert caught.value.wait_seconds == 120


def test_short_waits_without_end_inside_a_batch_fail_the_tenant_instead_of_guessing() -> None:
    with connected((LARGE, QUAY)) as site:
        site.simulator.faults.add("rate_limited", path=mailbox_of(site, 3), times=0, retry_after="1")
        read = site.read()
        assert "wait" in read[LARGE.name].failure
        assert read[LARGE.name].users == ()
        assert len(read[QUAY.name].users) == 4


@pytest.mark.fault("T4")
def test_T4_a_mailbox_that_breaks_once_is_asked_for_again() -> None:
    with connected((LARGE,)) as site:
        site.simulator.faults.add("status", path=mailbox_of(site, 3), times=2, status=504)
        assert set(kinds(site)) == {USER}


def test_one_mailbox_that_is_lastingly_broken_is_unknown() -> None:
    with connected((LARGE,)) as site:
        site.simulator.faults.add("status", path=mailbox_of(site, 3), times=0, status=504)
        assert kinds(site).count(UNKNOWN) == 1


def test_when_every_mailbox_is_broken_the_tenant_failed() -> None:
    with connected((LARGE, QUAY)) as site:
        site.simulator.faults.add("status", path=f"/v1.0/users/{LARGE.id[:24]}*", times=0, status=500)
        read = site.read()
        assert "every mailbox" in read[LARGE.name].failure
        assert len(read[QUAY.name].users) == 4


@pytest.mark.parametrize("body", ['{"responses":[]}', "{}", "[]", '{"responses":[{"id":"x","status":200,"body":{}}]}'])
def test_a_batch_that_answers_something_else_fails_the_tenant(body: str) -> None:
    with connected((LARGE, QUAY)) as site:
        site.simulator.faults.add("raw", path=of(LARGE, BATCH), times=0, body=body)
        assert "Microsoft Graph" in site.read()[LARGE.name].failure


def test_a_batch_that_lacks_one_reply_fails_the_tenant() -> None:
    with connected((LARGE, QUAY)) as site:
        site.simulator.faults.add("reply_missing", path=of(LARGE, BATCH), times=0)
        assert "one for each request" in site.read()[LARGE.name].failure


def test_a_tenant_without_licensed_users_asks_for_no_mailbox() -> None:
    with connected((Tenant(1, HARBOR.name, 0),)) as site:
        assert kinds(site) == []
        assert site.asked(MAILBOX, "POST") == 0
        assert site.asked(BATCH, "POST") == 0
