"""Names and addresses as they are kept, the book, and the mail to the account manager."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.errors import Conflict, InputInvalid, NotFound
from trueup.domain.portal_mail import MAILTO_CHARACTERS_MAXIMUM, AccountManagerMail, account_manager_mail, safe_text
from trueup.domain.portal_readiness import Readiness, ReadinessState, Reason
from trueup.domain.portal_users import (
    NAME_CHARACTERS_MAXIMUM,
    PORTAL_USERS_MAXIMUM,
    Checked,
    ChecklistItem,
    PortalBook,
    PortalUser,
    parse_address,
    parse_name,
)

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def person(address: str = "dana@msp.example", name: str = "Dana Ops", state: str = "ready") -> PortalUser:
    readiness = Readiness(ReadinessState(state), Reason.READY, "words")
    return PortalUser(name, address, NOW, "ann", Checked(readiness, NOW, "ann"))


class TestAddresses:
    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("dana@msp.example", "dana@msp.example"),
            (" Dana.OPS@MSP.Example\n", "dana.ops@msp.example"),
            ("o'brien+portal_1@sub.msp-group.example", "o'brien+portal_1@sub.msp-group.example"),
            ("a%b=c@msp.example", "a%b=c@msp.example"),
            ("zoë@müller.example", "zoë@müller.example"),
            (f"{'a' * 64}@msp.example", f"{'a' * 64}@msp.example"),
        ],
    )
    def test_an_address_is_kept_trimmed_and_in_lower_case(self, typed: str, kept: str) -> None:
        assert parse_address(typed) == kept
        assert parse_address(kept) == kept

    @pytest.mark.parametrize(
        "typed",
        [
            "", " ", "@", "dana", "dana@", "@msp.example", "dana@msp", "dana@@msp.example", "dana@msp..example",
            ".dana@msp.example", "dana.@msp.example", "da..na@msp.example", "dana@-msp.example", "dana@msp-.example",
            "dana@127.0.0.1", "dana@[127.0.0.1]", '"dana ops"@msp.example', "dana ops@msp.example",
            "dana@msp.example,eve@evil.example", "dana@msp.example;eve@evil.example", "Dana <dana@msp.example>",
            "dana@msp.example\r\nBcc: eve@evil.example", "dana\r\n@msp.example", "dana@msp.ex\nample",
            "dana\u202e@msp.example", "dana\u200b@msp.example", "dana@msp.example\x00", "da\u00a0na@msp.example",
            "mailto:dana@msp.example", "dana@msp.example?bcc=eve", "da/na@msp.example", "dana@msp_x.example",
            f"{'a' * 65}@msp.example", f"dana@{'a' * 64}.example", f"d@{'a.' * 130}example", "=cmd|'/c calc'!a1",
            "\ud800@msp.example",
        ],
    )  # fmt: skip
    def test_what_could_be_anything_else_is_refused(self, typed: str) -> None:
        with pytest.raises(InputInvalid) as caught:
            parse_address(typed)
        assert caught.value.field == "address"
        assert caught.value.message.isprintable()

    @given(st.text(max_size=60))
    def test_whatever_is_taken_is_one_plain_word(self, text: str) -> None:
        try:
            address = parse_address(text)
        except InputInvalid:
            return
        assert address.isprintable()
        assert not any(one in address for one in ' ,;:<>()[]"\\/')
        assert address.count("@") == 1


class TestNames:
    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("Dana Ops", "Dana Ops"),
            ("  Dana   Ops ", "Dana Ops"),
            ("Łukasz 王 O'Brien-Smith, Jr.", "Łukasz 王 O'Brien-Smith, Jr."),
            ("=HYPERLINK(1)", "=HYPERLINK(1)"),
            ("x" * NAME_CHARACTERS_MAXIMUM, "x" * NAME_CHARACTERS_MAXIMUM),
        ],
    )
    def test_a_name_is_kept_with_single_spaces(self, typed: str, kept: str) -> None:
        assert parse_name(typed) == kept

    @pytest.mark.parametrize(
        "typed",
        ["", "   ", "Dana\r\nBcc: eve@evil.example", "Dana\nOps", "Dana\tOps", "\u202eDana", "Da\u200bna", "Dana\x00",
         "Dana\u2028Ops", "Dana\u00a0Ops", "\ud800", "\ue000", "x" * (NAME_CHARACTERS_MAXIMUM + 1)],
    )  # fmt: skip
    def test_a_name_that_hides_something_is_refused(self, typed: str) -> None:
        with pytest.raises(InputInvalid) as caught:
            parse_name(typed)
        assert caught.value.field == "name"
        assert caught.value.message.isprintable()


class TestBook:
    def test_users_are_found_in_any_case_and_ordered(self) -> None:
        book = PortalBook().with_users([person("zoe@msp.example"), person("dana@msp.example")])
        assert [user.address for user in book.users] == ["dana@msp.example", "zoe@msp.example"]
        assert book.get(" DANA@msp.example ").address == "dana@msp.example"
        assert book.without("Dana@MSP.example").users == (person("zoe@msp.example"),)
        with pytest.raises(NotFound):
            book.get("nobody@msp.example")

    def test_there_is_an_end(self) -> None:
        most = [person(f"p{number}@msp.example") for number in range(PORTAL_USERS_MAXIMUM)]
        book = PortalBook().with_users(most)
        assert len(book.with_users([person("p1@msp.example", "Other")]).users) == PORTAL_USERS_MAXIMUM
        with pytest.raises(InputInvalid):
            book.with_users([person("one.more@msp.example")])

    def test_a_tick_says_who_and_when_and_can_be_taken_back(self) -> None:
        ticked = person().ticked(ChecklistItem.TWO_FACTOR, by="bob", at=NOW, is_done=True)
        found = ticked.tick(ChecklistItem.TWO_FACTOR)
        assert found is not None
        assert (found.by, found.at) == ("bob", NOW)
        assert ticked.tick(ChecklistItem.REGISTERED) is None
        assert ticked.ticked(ChecklistItem.TWO_FACTOR, by="bob", at=NOW, is_done=False) == person()
        assert all(item.words for item in ChecklistItem)

    def test_who_was_never_checked_is_not_ready(self) -> None:
        fresh = replace(person(), checked=None)
        assert (fresh.is_ready, fresh.state) == (False, "unchecked")


def mail(*users: PortalUser, **options: object) -> AccountManagerMail:
    return account_manager_mail(users, account="CSIM00A001", **options)  # type: ignore[arg-type]


class TestMail:
    def test_it_names_those_who_are_ready_and_nobody_else(self) -> None:
        written = mail(
            person("dana@msp.example"),
            person("lee@msp.example", state="blocked"),
            person("kim@msp.example", state="unknown"),
            replace(person("new@msp.example"), checked=None),
        )
        assert written.addresses == ("dana@msp.example",)
        assert written.subject == "Partner portal users to set up: 1 (account CSIM00A001)"
        assert '1. dana@msp.example  "Dana Ops"' in written.text
        assert "2026-11-22 12:30 UTC" in written.text
        assert not any(name in written.text for name in ("lee@", "kim@", "new@"))

    def test_who_was_invited_is_left_out_unless_asked_for(self) -> None:
        invited = replace(person("old@msp.example"), invited_at=NOW, invited_by="bob")
        assert mail(invited, person()).addresses == ("dana@msp.example",)
        assert mail(invited, person(), with_invited=True).addresses == ("old@msp.example", "dana@msp.example")
        with pytest.raises(Conflict):
            mail(invited)

    def test_without_anybody_ready_there_is_no_mail(self) -> None:
        with pytest.raises(Conflict):
            mail(person(state="blocked"))
        with pytest.raises(Conflict):
            mail()

    def test_the_link_says_the_same(self) -> None:
        written = mail(person(), person("z&?=%+o@msp.example", "Zoë & Co?body=x"), to="am@vendor.example")
        link = urlsplit(written.mailto)
        assert (link.scheme, link.path, link.fragment) == ("mailto", "am@vendor.example", "")
        fields = parse_qs(link.query, strict_parsing=True)
        assert fields == {"subject": [written.subject], "body": [written.text.replace("\n", "\r\n")]}

    def test_without_a_recipient_the_link_has_none(self) -> None:
        assert mail(person()).mailto.startswith("mailto:?subject=")

    def test_a_link_that_programs_would_cut_is_left_out(self) -> None:
        people = [person(f"p{number}@msp.example", "王" * 50) for number in range(30)]
        assert mail(*people).mailto == ""
        assert len(mail(*people[:2]).mailto) <= MAILTO_CHARACTERS_MAXIMUM
        assert "30. p29@msp.example" in mail(*people).text

    @pytest.mark.parametrize(
        "name",
        ["Eve\r\nBcc: all@evil.example", "Eve\n\n2. root@msp.example", "\u202eevE", "Eve\x00\x1b[31m", "Eve\u2028x",
         'Eve" <root@msp.example>, "', "\ud800Eve", "=1+1"],
    )  # fmt: skip
    def test_a_hostile_name_stays_a_name(self, name: str) -> None:
        """What is kept was checked, so this is the second wall: for what other code stored."""
        hostile = person("eve@msp.example", name)
        written = mail(hostile)
        assert "\r" not in written.subject + written.text
        assert len(written.text.split("\n")) == len(mail(person()).text.split("\n"))
        (line,) = [line for line in written.text.split("\n") if line.startswith("1.")]
        assert line.startswith('1. eve@msp.example  "')
        assert line.count('"') == 2
        assert line.isprintable()
        assert written.mailto.isascii()
        assert "\n" not in written.mailto

    def test_a_hostile_account_code_adds_no_header(self) -> None:
        written = account_manager_mail([person()], account="C1\r\nBcc: eve@evil.example")
        assert written.subject.isprintable()

    @given(st.text(max_size=200))
    def test_safe_text_is_one_printable_line(self, text: str) -> None:
        safe = safe_text(text)
        assert safe.isprintable()
        assert safe == " ".join(safe.split())
        assert len(safe) <= 100
