"""What the partner's own account says of portal users, over real sockets, and what becomes of it under faults."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from local.simulators.mimecast import MimecastSimulator
from local.simulators.server import running
from tests.adapters.mimecast.mimecast_connected import FIELDS, SHORT_READS, a_world, an_account
from tests.fakes.clock import FakeClock
from trueup.adapters.mimecast.directories import CONNECTION_PATH, INTEGRATIONS_PATH
from trueup.adapters.mimecast.portal_users import (
    ALIASES_PATH,
    PROFILE_PATH,
    MimecastPortalUsers,
    open_portal_users,
)
from trueup.adapters.mimecast.user_lists import DOMAINS_PATH, INTERNAL_USERS_PATH, USERS_PATH
from trueup.domain.errors import CredentialRejected, RateLimited, TenantScopeMismatch, UnsafeAddress, VendorUnavailable
from trueup.domain.portal_readiness import AccountFacts, ListState, Readiness, Reason, judge
from trueup.domain.portal_users import PortalUser

DOMAIN = "simmsp.example"
DANA, BILLING, LEE, KIM, ROBIN = (
    f"{name}@{DOMAIN}" for name in ("dana.ops", "billing", "lee.sales", "kim.split", "robin.portal")
)


@dataclass(slots=True)
class Asked:
    """The simulator, what asks it, and the clock of both."""

    simulator: MimecastSimulator
    reading: MimecastPortalUsers
    clock: FakeClock

    def facts(self, *people: tuple[str, str]) -> AccountFacts:
        now = self.clock.now()
        return self.reading.read([PortalUser(name, address, now, "ann") for name, address in people])

    def judged(self, address: str, name: str = "Somebody") -> Readiness:
        return judge(address, self.facts((name, address)), now=self.clock.now())

    def paths(self) -> list[str]:
        return [entry.path for entry in self.simulator.requests.entries]

    def fault(self, kind: str, path: str, **options: Any) -> None:
        self.simulator.faults.add(kind, path=path, **options)


@contextmanager
def asked(*, page_size: int = 100, pages_maximum: int = 50, limits: Any = None) -> Iterator[Asked]:
    clock = FakeClock()
    world = a_world(an_account(10))
    world.clock = clock.now
    simulator = MimecastSimulator(world)
    simulator.monotonic = clock.monotonic_seconds
    with running(simulator):
        reading = open_portal_users(
            simulator.url, FIELDS, clock=clock, allow_loopback=True, limits=limits, page_size=page_size,
            pages_maximum=pages_maximum,
        )  # fmt: skip
        try:
            yield Asked(simulator, reading, clock)
        finally:
            reading.close()


@pytest.fixture
def there() -> Iterator[Asked]:
    with asked() as ready:
        yield ready


class TestWhoIsWho:
    @pytest.mark.parametrize(
        ("address", "reason"),
        [
            (DANA, Reason.READY),
            (f" {DANA.upper()} ", Reason.READY),
            (ROBIN, Reason.READY),
            (BILLING, Reason.ALIAS),
            (LEE, Reason.DISABLED),
            (KIM, Reason.DISAGREEMENT),
            (f"nobody@{DOMAIN}", Reason.MISSING),
            ("nobody@simmsp-group.example", Reason.MISSING),
            ("dana.ops@gmail.example", Reason.WRONG_DOMAIN),
            ("friend@elsewhere.example", Reason.WRONG_DOMAIN),
        ],
    )
    def test_each_person_of_the_account_is_judged(self, there: Asked, address: str, reason: Reason) -> None:
        assert there.judged(address).reason is reason

    @pytest.mark.parametrize("page_size", [1, 2, 3, 5, 6, 100])
    def test_the_size_of_a_page_changes_nothing(self, page_size: int) -> None:
        people = [("a", one) for one in (DANA, BILLING, LEE, KIM, ROBIN, f"x@{DOMAIN}")]
        with asked(page_size=page_size) as there:
            facts = there.facts(*people)
            found = [judge(address, facts, now=there.clock.now()).reason for _, address in people]
        assert found == [
            Reason.READY, Reason.ALIAS, Reason.DISABLED, Reason.DISAGREEMENT, Reason.READY, Reason.MISSING
        ]  # fmt: skip

    def test_the_rest_of_what_is_known_is_told(self, there: Asked) -> None:
        facts = there.facts(("Dana", DANA), ("Robin", ROBIN))
        assert facts.account == "CSIM00A001"
        assert facts.internal_domains == {DOMAIN, "simmsp-group.example"}
        assert {address: (one.role, one.has_cloud_password) for address, one in facts.profiles.items()} == {
            DANA: ("Full Administrator", False),
            ROBIN: ("Partner Administrator", True),
        }
        assert facts.notes == ()
        assert facts.integrations is not None
        assert [(one.name, one.kind, one.is_enabled, one.status, one.is_running) for one in facts.integrations] == [
            ("Entra ID", "m365", True, "", False),
            ("Head office", "active_directory", True, "ok", False),
        ]
        assert all(one.last_sync_at is not None for one in facts.integrations)

    def test_an_alias_leads_to_its_primary_where_a_user_of_the_same_name_proves_to_be_it(self, there: Asked) -> None:
        assert there.judged(BILLING, "Dana OPS").primary == DANA
        assert there.judged(BILLING, "Lee Sales").primary == ""
        there.simulator.requests.clear()
        assert there.judged(BILLING, "Somebody Else").primary == ""
        assert ALIASES_PATH not in there.paths()

    def test_nothing_is_kept_of_people_who_were_not_asked_for(self, there: Asked) -> None:
        facts = there.facts(("Somebody", DANA))
        assert {user.address for one in facts.lists for user in one.users} == {DANA}
        assert "lee" not in repr(facts)

    def test_no_call_is_on_behalf_of_an_account_and_none_writes(self, there: Asked) -> None:
        there.facts(("Dana Ops", BILLING), ("Dana Ops", DANA))
        assert there.paths()
        assert not any("update" in path or "/partner/" in path for path in there.paths())
        assert not any("accountcode" in repr(entry).lower() for entry in there.simulator.requests.entries)

    def test_an_answer_for_another_account_is_thrown_away(self, there: Asked) -> None:
        whoami = '{"account-codes": {"cg": "CSIM10B10"}, "home-account": {"cg": "CSIM00A001"}}'
        there.fault("raw", "/identity/whoami", body=whoami)
        with pytest.raises(TenantScopeMismatch):
            there.judged(DANA)

    @pytest.mark.parametrize("url", ["http://api.services.mimecast.com", "https://services.mimecast.com.evil.example"])
    def test_no_other_host_is_called(self, url: str) -> None:
        with pytest.raises(UnsafeAddress):
            open_portal_users(url, FIELDS, clock=FakeClock(), allow_loopback=False)


class TestPermissions:
    def test_without_both_lists_the_missing_row_is_named(self, there: Asked) -> None:
        for path in (USERS_PATH, INTERNAL_USERS_PATH):
            there.fault("status", path, status=403, times=0)
        judged = there.judged(DANA)
        assert (judged.reason, judged.permission) == (Reason.PERMISSION_MISSING, "Directories | Internal | Read")
        assert "Directories | Internal | Read" in judged.fix

    def test_the_newer_list_alone_is_enough(self, there: Asked) -> None:
        there.fault("status", INTERNAL_USERS_PATH, status=404, times=0)
        assert there.judged(DANA).reason is Reason.READY
        assert there.judged(BILLING).reason is Reason.ALIAS
        assert there.judged(f"x@{DOMAIN}").reason is Reason.MISSING

    def test_the_older_list_alone_does_not_say_who_is_disabled(self, there: Asked) -> None:
        there.fault("status", USERS_PATH, status=403, times=0)
        judged = there.judged(DANA)
        assert (judged.reason, judged.permission) == (Reason.NOT_TOLD, "Directories | Internal | Read")
        assert there.judged(BILLING).reason is Reason.ALIAS
        assert there.judged(f"x@{DOMAIN}").reason is Reason.MISSING

    @pytest.mark.parametrize(
        ("path", "row"),
        [(DOMAINS_PATH, "Directories | Internal | Read"), (PROFILE_PATH, "user profiles")],
    )
    def test_what_is_refused_beside_the_lists_is_a_note(self, there: Asked, path: str, row: str) -> None:
        there.fault("status", path, status=403, times=0)
        facts = there.facts(("Dana", DANA), ("Robin", ROBIN))
        (note,) = facts.notes
        assert row in note
        assert judge(DANA, facts, now=there.clock.now()).reason is Reason.READY
        assert there.paths().count(PROFILE_PATH) == (1 if path == PROFILE_PATH else 2)

    def test_without_the_domains_a_missing_user_is_still_blocked(self, there: Asked) -> None:
        there.fault("status", DOMAINS_PATH, status=403, times=0)
        assert there.judged(f"x@{DOMAIN}").reason is Reason.NOT_LISTED

    def test_the_older_call_tells_of_directories_where_the_newer_is_not_there(self, there: Asked) -> None:
        newer = there.facts(("Dana", DANA)).integrations
        there.fault("status", INTEGRATIONS_PATH, status=404, times=0)
        older = there.facts(("Dana", DANA)).integrations
        assert newer is not None
        assert older is not None
        assert [(one.name, one.is_enabled, one.last_sync_at) for one in older] == [
            (one.name, one.is_enabled, one.last_sync_at) for one in newer
        ]
        there.fault("status", CONNECTION_PATH, status=403, times=0)
        facts = there.facts(("Dana", DANA))
        assert facts.integrations is None
        assert len(facts.notes) == 1

    def test_a_detail_that_is_refused_leaves_what_the_list_says(self, there: Asked) -> None:
        there.fault("status", f"{INTEGRATIONS_PATH}/m365/dir-1", status=403, times=0)
        integrations = there.facts(("Dana", DANA)).integrations
        assert integrations is not None
        assert [(one.name, one.is_enabled) for one in integrations] == [("Entra ID", None), ("Head office", True)]

    def test_no_profile_of_somebody_else_is_taken(self, there: Asked) -> None:
        there.fault("set_field", PROFILE_PATH, times=0, field="emailAddress", raw=f'"{LEE}"')
        assert there.facts(("Dana", DANA)).profiles == {}
        assert there.facts(("Nobody", f"x@{DOMAIN}")).profiles == {}

    def test_a_rejected_credential_is_an_error_of_its_own(self, there: Asked) -> None:
        there.fault("unauthorized", USERS_PATH, times=0, code="plain")
        with pytest.raises(CredentialRejected):
            there.judged(DANA)


class TestListsThatAreNotWhole:
    @pytest.mark.fault("T13")
    @pytest.mark.parametrize("kind", ["repeated_token", "endless_tokens"])
    def test_T13_a_list_that_does_not_end_never_says_that_somebody_is_missing(self, kind: str) -> None:
        with asked(page_size=2) as there:
            there.fault(kind, USERS_PATH, times=0)
            facts = there.facts(("a", DANA), ("b", f"x@{DOMAIN}"))
            assert facts.lists[0].state is ListState.INCOMPLETE
            missing = judge(f"x@{DOMAIN}", facts, now=there.clock.now())
            assert missing.reason is Reason.LIST_INCOMPLETE
            assert judge(DANA, facts, now=there.clock.now()).reason is Reason.READY

    @pytest.mark.parametrize("kind", ["repeated_token", "endless_tokens"])
    def test_nor_does_the_older_one(self, kind: str) -> None:
        with asked(page_size=2) as there:
            there.fault(kind, INTERNAL_USERS_PATH, times=0)
            facts = there.facts(("b", f"x@{DOMAIN}"))
            assert [one.state for one in facts.lists] == [ListState.WHOLE, ListState.INCOMPLETE]
            assert judge(f"x@{DOMAIN}", facts, now=there.clock.now()).reason is Reason.LIST_INCOMPLETE

    @pytest.mark.fault("T15")
    @pytest.mark.parametrize("path", [USERS_PATH, INTERNAL_USERS_PATH])
    def test_T15_a_total_that_does_not_add_up_is_not_whole(self, there: Asked, path: str) -> None:
        there.fault("total_disagrees", path, times=0, difference=1)
        assert there.judged(f"x@{DOMAIN}").reason is Reason.LIST_INCOMPLETE

    def test_more_pages_than_there_may_be(self) -> None:
        with asked(page_size=1, pages_maximum=3) as there:
            assert there.judged(f"x@{DOMAIN}").reason is Reason.LIST_INCOMPLETE

    def test_a_refusal_in_the_middle_is_no_end(self) -> None:
        with asked(page_size=2) as there:
            there.fault("status", USERS_PATH, nth=2, times=0, status=403)
            assert there.judged(f"x@{DOMAIN}").reason is Reason.LIST_INCOMPLETE

    def test_a_list_of_nobody_proves_nothing(self, there: Asked) -> None:
        there.simulator.directory_users = ()
        assert there.judged(DANA).reason is Reason.LIST_INCOMPLETE

    @pytest.mark.parametrize(
        ("field", "raw"),
        [
            ("isAlias", '"false"'),
            ("isAlias", "0"),
            ("disabled", '"no"'),
            ("emailAddress", "null"),
            ("emailAddress", "7"),
        ],
    )
    def test_a_flag_that_is_no_flag_is_not_believed(self, there: Asked, field: str, raw: str) -> None:
        there.fault("set_field", USERS_PATH, times=0, field=field, raw=raw)
        there.fault("status", INTERNAL_USERS_PATH, times=0, status=403)
        judged = there.judged(DANA)
        assert judged.reason is Reason.LIST_INCOMPLETE
        assert DANA not in judged.words

    @pytest.mark.fault("C7")
    @pytest.mark.parametrize(("field", "word"), [("isAlias", "alias"), ("disabled", "disabled")])
    def test_C7_a_flag_that_is_not_there_is_not_false(self, there: Asked, field: str, word: str) -> None:
        there.fault("set_field", USERS_PATH, times=0, field=field, remove=True)
        there.fault("status", INTERNAL_USERS_PATH, times=0, status=403)
        judged = there.judged(DANA)
        assert judged.reason is Reason.NOT_TOLD
        assert word in judged.words

    def test_keys_are_read_in_any_case(self, there: Asked) -> None:
        body = (
            '{"meta": {"status": 200}, "data": [{"users": [{"emaiLAddress": "Dana.Ops@SimMSP.example", '
            '"ALIAS": false, "name": "D"}], "usercount": 1}], "fail": []}'
        )
        there.fault("raw", INTERNAL_USERS_PATH, times=0, body=body)
        assert there.judged(DANA).reason is Reason.READY
        twice = body.replace('"name": "D"', '"Alias": true')
        there.simulator.faults.clear()
        there.fault("raw", INTERNAL_USERS_PATH, times=0, body=twice)
        assert there.facts(("a", DANA)).lists[1].state is ListState.INCOMPLETE

    def test_one_address_that_is_there_twice_in_two_ways_is_a_contradiction(self, there: Asked) -> None:
        dana = there.simulator.directory_users[0]
        there.simulator.directory_users += (replace(dana, id="u-99", alias=True, local_part="DANA.ops"),)
        assert there.judged(DANA).reason is Reason.DISAGREEMENT

    @pytest.mark.parametrize("kind", ["unknown_fields", "extra_headers"])
    def test_what_does_not_matter_does_not_matter(self, there: Asked, kind: str) -> None:
        options = {"headers": {"Sunset": "soon"}} if kind == "extra_headers" else {}
        there.fault(kind, USERS_PATH, times=0, **options)
        assert there.judged(DANA).reason is Reason.READY

    @pytest.mark.parametrize(
        "kind", ["html", "wrong_content_type", "empty", "truncated", "duplicate_keys", "fail_in_200", "deep_json"]
    )
    def test_a_damaged_list_is_never_taken_for_an_empty_one(self, there: Asked, kind: str) -> None:
        options = {"status": 200} if kind in {"html", "empty"} else {"code": "err_x"} if kind == "fail_in_200" else {}
        there.fault(kind, USERS_PATH, times=0, **options)
        there.fault("status", INTERNAL_USERS_PATH, times=0, status=403)
        try:
            judged = there.judged(DANA)
        except VendorUnavailable:
            return
        assert judged.state.value == "unknown"


class TestTroubleThatPasses:
    @pytest.mark.parametrize("path", [USERS_PATH, INTERNAL_USERS_PATH, DOMAINS_PATH, INTEGRATIONS_PATH, PROFILE_PATH])
    def test_one_failure_is_tried_again(self, there: Asked, path: str) -> None:
        there.fault("status", path, status=503)
        facts = there.facts(("Dana", DANA))
        assert facts.notes == ()
        assert judge(DANA, facts, now=there.clock.now()).reason is Reason.READY

    def test_where_no_list_answers_nothing_is_judged(self, there: Asked) -> None:
        for path in (USERS_PATH, INTERNAL_USERS_PATH):
            there.fault("status", path, status=503, times=0)
        with pytest.raises(VendorUnavailable):
            there.judged(DANA)

    def test_where_one_list_answers_the_other_is_only_not_whole(self, there: Asked) -> None:
        there.fault("status", INTERNAL_USERS_PATH, status=503, times=0)
        facts = there.facts(("a", DANA), ("b", f"x@{DOMAIN}"))
        assert judge(DANA, facts, now=there.clock.now()).reason is Reason.READY
        assert judge(f"x@{DOMAIN}", facts, now=there.clock.now()).reason is Reason.LIST_INCOMPLETE

    def test_a_long_rate_limit_is_handed_up(self, there: Asked) -> None:
        for path in (USERS_PATH, INTERNAL_USERS_PATH):
            there.fault("rate_limited", path, times=0, retry_after="1000000000")
        with pytest.raises(RateLimited):
            there.judged(DANA)

    def test_a_connection_that_breaks_is_tried_again(self) -> None:
        with asked(limits=SHORT_READS) as there:
            there.fault("drop_before_commit", USERS_PATH)
            there.fault("reset_mid_body", INTERNAL_USERS_PATH)
            assert there.judged(DANA).reason is Reason.READY

    def test_an_expired_token_is_renewed(self, there: Asked) -> None:
        assert there.judged(DANA).reason is Reason.READY
        there.simulator.expire_tokens()
        assert there.judged(DANA).reason is Reason.READY

    def test_no_address_and_no_token_is_logged(self, there: Asked, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG, logger="trueup"):
            there.fault("status", USERS_PATH, status=500)
            there.judged(DANA)
        text = " ".join(record.getMessage() for record in caplog.records)
        assert DANA not in text
        assert "sim-token" not in text


class TestDirectories:
    def test_a_directory_with_an_error_and_one_that_is_off_are_seen(self, there: Asked) -> None:
        there.simulator.directory_status, there.simulator.directory_enabled = "error", False
        integrations = there.facts(("Dana", DANA)).integrations
        assert integrations is not None
        assert [(one.is_enabled, one.status) for one in integrations] == [(False, ""), (True, "error")]

    @pytest.mark.parametrize("raw", ['"yesterday"', '"2026-09-01"', '"2026-09-01T06:00:11"', "7", "null"])
    def test_a_time_without_a_zone_is_no_time(self, there: Asked, raw: str) -> None:
        there.fault("set_field", f"{INTEGRATIONS_PATH}/*", times=0, field="lastSyncDateTime", raw=raw)
        integrations = there.facts(("Dana", DANA)).integrations
        assert integrations is not None
        assert [one.last_sync_at for one in integrations] == [None, None]

    def test_a_directory_of_a_kind_nobody_knows_is_kept_as_the_list_has_it(self, there: Asked) -> None:
        body = '{"integrations": [{"id": 7, "type": "okta", "description": "Okta", "enabled": true}]}'
        there.fault("raw", INTEGRATIONS_PATH, times=0, body=body)
        integrations = there.facts(("Dana", DANA)).integrations
        assert integrations is not None
        assert [(one.name, one.kind, one.is_enabled) for one in integrations] == [("Okta", "okta", True)]
