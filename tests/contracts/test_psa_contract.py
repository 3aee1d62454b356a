"""What every PSA behind the port must do: the fake in memory and the ConnectWise adapter over a real socket.

Method: both hold the same scene and are given the same trouble; the outcomes must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from decimal import Decimal

import pytest

from tests.contracts.psa_subjects import (
    FakeSubject,
    Scene,
    Subject,
    a_line,
    a_product,
    an_account,
    an_agreement,
    connectwise_subject,
)
from trueup.domain.billing import (
    AgreementId,
    AgreementState,
    LineId,
    LineReference,
    PsaPage,
    WriteOutcome,
)
from trueup.domain.counts import Seats
from trueup.domain.errors import CredentialRejected, InputInvalid, ResourceAbsent, VendorTrouble, VendorUnavailable

type Opened = Callable[[Scene], Subject]

EMAIL = a_product(560, "MIME-EMAIL-S1")
AWARENESS = a_product(561, "MIME-AWARE", "Mimecast Awareness Training")
HARBOR = an_account(250, "Harbor Dental Group")
MANAGED = an_agreement(1201, HARBOR)
LINE = a_line(88431, MANAGED, EMAIL)
REFERENCE = LineReference(MANAGED.id, LINE.id)
SCENE = Scene((HARBOR,), (MANAGED,), (LINE,), (EMAIL, AWARENESS))


@pytest.fixture(params=["fake", "connectwise"])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Opens a PSA that holds a scene."""
    with ExitStack() as stack:

        def open_subject(scene: Scene) -> Subject:
            if request.param == "fake":
                return FakeSubject(scene)
            return stack.enter_context(connectwise_subject(scene, monkeypatch.setattr))

        yield open_subject


def pages_of(subject: Subject) -> list[PsaPage]:
    pages, cursor = [], None
    for _ in range(200):
        pages.append(subject.psa.read_page(cursor))
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages
    raise AssertionError("the read does not end")


def write(
    subject: Subject, target: int = 15, *, expected: str = "12", version: str = LINE.version
) -> tuple[WriteOutcome, Decimal | None]:
    result = subject.psa.set_quantity(
        REFERENCE, expected=Decimal(expected), expected_version=version, target=Seats(target)
    )
    assert result.reason
    return result.outcome, result.quantity_seen


# Reading.


def test_an_empty_psa_reads_as_complete_and_empty(opened: Opened) -> None:
    pages = pages_of(opened(Scene()))
    assert sum(len(page.accounts) + len(page.agreements) + len(page.lines) for page in pages) == 0
    assert [page.accounts_total for page in pages if page.accounts_total is not None] == [0]
    assert [page.agreements_total for page in pages if page.agreements_total is not None] == [0]


def test_one_client_is_read_whole(opened: Opened) -> None:
    pages = pages_of(opened(SCENE))
    assert [account for page in pages for account in page.accounts] == [HARBOR]
    assert [agreement for page in pages for agreement in page.agreements] == [MANAGED]
    assert [line for page in pages for line in page.lines] == [LINE]


def test_many_pages_hold_everything_once(opened: Opened) -> None:
    accounts = tuple(an_account(number) for number in range(100, 123))
    agreements = tuple(an_agreement(1000 + index, account) for index, account in enumerate(accounts))
    lines = tuple(a_line(5000 + index, agreement, EMAIL, "1.5") for index, agreement in enumerate(agreements))
    subject = opened(Scene(accounts, agreements, lines, (EMAIL,)))
    subject.pages_of(4)
    pages = pages_of(subject)
    assert len(pages) >= 12
    assert tuple(account for page in pages for account in page.accounts) == accounts
    assert tuple(agreement for page in pages for agreement in page.agreements) == agreements
    assert tuple(line for page in pages for line in page.lines) == lines
    assert pages[0].accounts_total == 23
    assert [page.agreements_total for page in pages if page.agreements_total is not None] == [23]


def test_a_page_can_be_read_again_with_its_cursor(opened: Opened) -> None:
    accounts = tuple(an_account(number) for number in range(100, 110))
    subject = opened(Scene(accounts))
    subject.pages_of(4)
    cursor = subject.psa.read_page(None).next_cursor
    assert subject.psa.read_page(cursor) == subject.psa.read_page(cursor)
    assert subject.psa.read_page(cursor).accounts == accounts[4:8]


@pytest.mark.parametrize("cursor", ["", "x", "1:secrets:1:0:::", "1:companies:0:0:::", "2:companies:1:0:::"])
def test_a_foreign_cursor_is_refused(opened: Opened, cursor: str) -> None:
    subject = opened(SCENE)
    with pytest.raises(InputInvalid) as caught:
        subject.psa.read_page(cursor or "\x00")
    assert caught.value.field == "cursor"


def test_lines_of_ended_agreements_are_not_read_but_the_agreements_are(opened: Opened) -> None:
    states = (AgreementState.ACTIVE, AgreementState.INACTIVE, AgreementState.CANCELLED, AgreementState.EXPIRED)
    agreements = tuple(an_agreement(1201 + index, HARBOR, state) for index, state in enumerate(states))
    lines = tuple(a_line(5000 + index, agreement, EMAIL) for index, agreement in enumerate(agreements))
    pages = pages_of(opened(Scene((HARBOR,), agreements, lines, (EMAIL,))))
    assert tuple(agreement for page in pages for agreement in page.agreements) == agreements
    assert tuple(line for page in pages for line in page.lines) == lines[:2]


@pytest.mark.fault("P3")
def test_P3_a_second_live_line_of_the_product_on_the_agreement_forbids_the_write(opened: Opened) -> None:
    """Whoever added it after the plan was made may have meant it for the very seats that the plan bills."""
    twin = a_line(88432, MANAGED, EMAIL, "3", billable=False, less_included="5")
    subject = opened(Scene((HARBOR,), (MANAGED,), (LINE, twin), (EMAIL,)))
    assert [line for page in pages_of(subject) for line in page.lines] == [LINE, twin]
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))
    assert subject.writes_sent() == 0


def test_lines_beside_it_that_have_ended_or_bill_something_else_do_not_forbid_the_write(opened: Opened) -> None:
    ended = a_line(88432, MANAGED, EMAIL, "3", effective_to=date(2025, 6, 30))
    other = a_line(88433, MANAGED, AWARENESS, "3")
    subject = opened(Scene((HARBOR,), (MANAGED,), (LINE, ended, other), (EMAIL, AWARENESS)))
    assert write(subject) == (WriteOutcome.APPLIED, Decimal(15))
    assert subject.psa.read_line(LineReference(MANAGED.id, other.id)).line == other


@pytest.mark.parametrize("target", [15, 12])
def test_a_line_that_bills_another_product_now_is_a_conflict_whatever_its_quantity(opened: Opened, target: int) -> None:
    subject = opened(Scene((HARBOR,), (MANAGED,), (LINE,), (EMAIL, AWARENESS)))
    reference = LineReference(MANAGED.id, LINE.id, AWARENESS.id)
    result = subject.psa.set_quantity(reference, expected=Decimal(12), expected_version="", target=Seats(target))
    assert (result.outcome, subject.writes_sent()) == (WriteOutcome.CONFLICT, 0)


def test_a_psa_that_is_away_is_trouble_and_not_an_empty_page(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.break_reading()
    with pytest.raises(VendorUnavailable):
        subject.psa.read_page(None)
    with pytest.raises(VendorUnavailable):
        subject.psa.read_line(REFERENCE)


def test_a_line_is_read_with_its_agreement(opened: Opened) -> None:
    state = opened(SCENE).psa.read_line(REFERENCE)
    assert (state.line, state.agreement) == (LINE, MANAGED)
    assert state.read_at.tzinfo is not None


@pytest.mark.parametrize(("agreement_id", "line_id"), [("1201", "999999"), ("999", "88431")])
def test_a_line_that_is_gone_is_said_to_be_gone(opened: Opened, agreement_id: str, line_id: str) -> None:
    subject = opened(SCENE)
    with pytest.raises(ResourceAbsent):
        subject.psa.read_line(LineReference(AgreementId(agreement_id), LineId(line_id)))


# Products.

CATALOG = Scene(
    products=(
        a_product(10, "MIME-EMAIL-S1-OLD", inactive=True),
        a_product(11, "MIME-EMAIL-S1"),
        a_product(12, "ARCHIVE", "Mimecast R&D + 100% archive"),
        a_product(13, "12", "Twelve"),
        a_product(14, "QUOTE", 'The 19" rack'),
    )
)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("mime-email-s1", ["MIME-EMAIL-S1", "MIME-EMAIL-S1-OLD"]),
        ("MIME", ["ARCHIVE", "MIME-EMAIL-S1", "MIME-EMAIL-S1-OLD"]),
        ("11", ["MIME-EMAIL-S1"]),
        ("12", ["12", "ARCHIVE"]),
        ("R&D + 100%", ["ARCHIVE"]),
        ('19" rack', ["QUOTE"]),
        ('" or id>0 or identifier="', []),
        ("MIME*S1", []),
        ("no such thing", []),
    ],
)
def test_products_are_found_by_code_name_and_id_exact_first(opened: Opened, text: str, codes: list[str]) -> None:
    assert [product.code for product in opened(CATALOG).psa.search_products(text)] == codes


def test_a_search_is_cut_after_the_exact_hit(opened: Opened) -> None:
    found = opened(CATALOG).psa.search_products("mime-email-s1", limit=1)
    assert found == (CATALOG.products[1],)


@pytest.mark.parametrize(("text", "limit"), [("", 5), ("   ", 5), ("MIME", 0)])
def test_an_empty_search_is_refused(opened: Opened, text: str, limit: int) -> None:
    subject = opened(CATALOG)
    with pytest.raises(InputInvalid):
        subject.psa.search_products(text, limit=limit)


# Writing.


@pytest.mark.parametrize("target", [15, 0, 11])
def test_a_write_is_applied_and_shows(opened: Opened, target: int) -> None:
    subject = opened(SCENE)
    assert write(subject, target) == (WriteOutcome.APPLIED, Decimal(target))
    after = subject.psa.read_line(REFERENCE).line
    assert after.quantity == target
    assert after.version != LINE.version
    assert (after.unit_price, after.description) == (LINE.unit_price, LINE.description)
    assert subject.writes_sent() == 1


def test_a_write_that_was_done_before_sends_nothing(opened: Opened) -> None:
    subject = opened(SCENE)
    assert write(subject)[0] is WriteOutcome.APPLIED
    assert write(subject) == (WriteOutcome.ALREADY, Decimal(15))
    assert subject.writes_sent() == 1


def test_a_fraction_may_be_corrected_to_whole_seats(opened: Opened) -> None:
    subject = opened(Scene((HARBOR,), (MANAGED,), (a_line(88431, MANAGED, EMAIL, "1.5"),), (EMAIL,)))
    assert write(subject, 2, expected="1.5") == (WriteOutcome.APPLIED, Decimal(2))


@pytest.mark.fault("P6")
def test_P6_a_quantity_that_a_person_changed_is_never_overwritten(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.person_sets(LINE.id, 13)
    assert write(subject) == (WriteOutcome.CONFLICT, Decimal(13))
    assert subject.writes_sent() == 0
    assert subject.psa.read_line(REFERENCE).line.quantity == 13


def test_a_line_edited_in_another_field_is_a_conflict_unless_no_version_was_approved(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.person_touches(LINE.id)
    assert write(subject) == (WriteOutcome.CONFLICT, Decimal(12))
    assert subject.writes_sent() == 0
    assert write(subject, version="") == (WriteOutcome.APPLIED, Decimal(15))


@pytest.mark.fault("P2")
@pytest.mark.parametrize("state", [AgreementState.CANCELLED, AgreementState.EXPIRED, AgreementState.INACTIVE])
def test_P2_nothing_is_written_to_an_agreement_that_is_not_active(opened: Opened, state: AgreementState) -> None:
    agreement = an_agreement(1201, HARBOR, state)
    subject = opened(Scene((HARBOR,), (agreement,), (LINE,), (EMAIL,)))
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))
    assert subject.writes_sent() == 0


@pytest.mark.parametrize(
    "line",
    [
        a_line(88431, MANAGED, EMAIL, effective_to=date(2026, 8, 31)),
        a_line(88431, MANAGED, EMAIL, effective_from=date(2026, 10, 1)),
        a_line(
            88431,
            MANAGED,
            EMAIL,
            not_writable_reason="the product is serialized: its quantity follows its serial numbers",
        ),
    ],
    ids=["ended", "future", "serialized"],
)
def test_nothing_is_written_to_a_line_that_may_not_be(opened: Opened, line: object) -> None:
    subject = opened(Scene((HARBOR,), (MANAGED,), (line,), (EMAIL,)))  # type: ignore[arg-type]
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))
    assert subject.writes_sent() == 0


@pytest.mark.fault("P1")
def test_P1_a_line_that_is_gone_is_rejected_and_not_made_again(opened: Opened) -> None:
    subject = opened(Scene((HARBOR,), (MANAGED,), (), (EMAIL,)))
    assert write(subject) == (WriteOutcome.REJECTED, None)
    assert subject.writes_sent() == 0


@pytest.mark.fault("P7")
def test_P7_a_clamped_quantity_is_seen_by_reading_back(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.clamp_next_write(14)
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(14))
    assert subject.writes_sent() == 1


def test_a_yes_that_changed_nothing_is_not_believed(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.ignore_next_write()
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))
    assert subject.writes_sent() == 1


def test_a_refused_write_is_rejected(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.refuse_next_write()
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))


def test_a_lost_reply_is_settled_by_reading_back(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.lose_next_write_reply()
    assert write(subject) == (WriteOutcome.APPLIED, Decimal(15))
    assert subject.writes_sent() == 1


def test_a_write_that_cannot_be_read_back_is_unknown_and_not_sent_again(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.break_reading_after_next_write()
    assert write(subject) == (WriteOutcome.UNKNOWN, None)
    assert subject.writes_sent() == 1


def test_nothing_is_sent_when_the_line_cannot_be_read_first(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.break_reading()
    with pytest.raises(VendorTrouble):
        write(subject)
    assert subject.writes_sent() == 0


# The credential.


def test_a_good_credential_may_do_everything_that_can_be_tried(opened: Opened) -> None:
    report = opened(SCENE).psa.check()
    assert report.identity
    assert not report.missing
    assert {capability.name for capability in report.capabilities} == {
        "read companies",
        "read agreements",
        "read lines",
        "search products",
    }


def test_a_missing_permission_is_named_and_the_others_are_still_tried(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.forbid_products()
    report = subject.psa.check()
    assert [capability.name for capability in report.missing] == ["search products"]
    assert all(capability.permission for capability in report.capabilities)
    assert len(report.capabilities) == 4


def test_a_rejected_credential_is_said_to_be_rejected(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.reject_credential()
    with pytest.raises(CredentialRejected):
        subject.psa.check()
