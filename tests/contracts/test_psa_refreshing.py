"""One client read alone takes its place in a whole read, for every PSA that calls back: what comes of it is the whole
read as it would be now.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.psa_subjects import Scene, a_line, an_account, an_agreement
from tests.contracts.test_psa_changes import calls_back
from tests.contracts.test_psa_contract import EMAIL, Opened, opened
from trueup.domain.account_refreshing import doubtful, records_of, refreshed_pages, strange
from trueup.domain.billing import PsaPage
from trueup.domain.facts import psa_facts
from trueup.ports.psa import PsaBilling

__all__ = ["opened"]

ACCOUNTS = tuple(an_account(number) for number in range(100, 105))
AGREEMENTS = tuple(an_agreement(1000 + index, ACCOUNTS[index % 5]) for index in range(10))
LINES = tuple(a_line(5000 + index, agreement, EMAIL, str(index + 1)) for index, agreement in enumerate(AGREEMENTS))


def pages_of(psa: PsaBilling) -> Iterator[PsaPage]:
    cursor = None
    while True:
        page = psa.read_page(cursor)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return


@calls_back
@pytest.mark.parametrize("rows", [2, 50])
def test_a_client_read_again_makes_the_read_what_it_would_be_now(opened: Opened, rows: int) -> None:
    subject = opened(Scene(ACCOUNTS, AGREEMENTS, LINES, (EMAIL,)))
    subject.pages_of(rows)
    pages = tuple(pages_of(subject.psa))
    client = ACCOUNTS[2]
    subject.person_sets(str(LINES[2].id), 40)
    subject.person_sets(str(LINES[3].id), 50)
    answer = subject.reader.read_account(client.id)
    assert strange(answer, client.id) is None
    fresh, before = records_of((answer,), client.id), records_of(pages, client.id)
    assert doubtful(before, fresh) is None
    assert fresh != before
    derived = list(pages)
    for place, page in refreshed_pages(pages, fresh, client.id).items():
        derived[place] = page
    assert [page.next_cursor for page in derived] == [page.next_cursor for page in pages]
    now, known = psa_facts(pages_of(subject.psa)), psa_facts(derived)
    assert (known.accounts, known.agreements) == (now.accounts, now.agreements)
    quantities = {line.id: line.quantity for line in now.lines}
    others = {line.id: line.quantity for line in psa_facts(pages).lines}
    mine = {line.id for line in LINES if line.account_id == client.id}
    assert {line.id: line.quantity for line in known.lines} == {
        line_id: quantities[line_id] if line_id in mine else others[line_id] for line_id in quantities
    }
    assert records_of(derived, client.id) == fresh
