"""The partner's customer accounts, a page at a time, from ``GET /partner/v1/customers``.

The path is known from a public script; its bodies are not public, so fields are found by the mapping. A refusal (403)
or an absent path (404) is an error and never "no customers".
"""

from __future__ import annotations

from dataclasses import dataclass

from trueup.adapters.mimecast.calls import MimecastCalls
from trueup.adapters.mimecast.field_mapping import FieldMapping, Words
from trueup.adapters.mimecast.paging import PageTrail, read_record_page
from trueup.adapters.mimecast.permissions import PARTNER
from trueup.adapters.mimecast.reading import RecordReader, read_seats
from trueup.adapters.mimecast.source_counts import SourceCount
from trueup.domain.accounts import AccountState, VendorAccount, VendorAccountId
from trueup.domain.counts import Basis

ACCOUNT_LEVEL = " (account-level count)"
"""Marks evidence that is one number for a whole account and not for one product."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One account of the list with what the list says of its seats."""

    account: VendorAccount
    seats: SourceCount


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """``next_token`` is None on the last page; ``total`` is what the vendor says there are in all."""

    customers: tuple[Customer, ...]
    next_token: str | None
    total: int | None


class CustomerList:
    """Reads pages of the list. Safe to share between threads."""

    def __init__(self, calls: MimecastCalls, mapping: FieldMapping, page_size: int, pages_maximum: int) -> None:
        self._calls = calls
        self._mapping = mapping
        self._page_size = page_size
        self._trail = PageTrail("customer", pages_maximum)

    def read(self, token: str | None, *, page_size: int | None = None) -> CustomerPage:
        """The page at ``token``; None begins a new walk. Safe to repeat.

        An account that comes twice in a page with the same words is kept once; with different seats its count is a
        problem, and neither number is used. Raises what MimecastCalls raises, SchemaUnknown and ReadIncomplete.
        """
        fields = self._mapping.customers
        page = read_record_page(
            self._calls,
            fields.path,
            fields.list,
            self._mapping.paging,
            what="customers",
            token=token,
            page_size=page_size or self._page_size,
            permission=PARTNER,
            mapping_version=self._mapping.version,
        )
        customers: dict[str, Customer] = {}
        for record in page.records:
            customer = self._customer(record)
            code = str(customer.account.id)
            customers[code] = _joined(customers[code], customer) if code in customers else customer
        if page_size is None:
            if token is None:
                self._trail.start()
            self._trail.step(token, page.next_token, customers)
        return CustomerPage(tuple(customers.values()), page.next_token, page.total)

    def _customer(self, record: object) -> Customer:
        fields, version = self._mapping.customers, self._mapping.version
        reader = RecordReader("customers", version)
        code = reader.required_identifier(record, fields.account_code)
        status = reader.text(record, fields.status, required=False)
        account = VendorAccount(
            id=VendorAccountId(code),
            name=reader.text(record, fields.name, required=True),
            state=account_state(status, self._mapping.words),
            status_text=status,
        )
        source = f"GET {fields.path}"
        seats = read_seats(
            record, fields.seats, basis=Basis.PARTNER_CUSTOMER, source=source, reference=code, label=ACCOUNT_LEVEL
        )
        return Customer(account, seats)


def account_state(word: str, words: Words) -> AccountState:
    """What a status word means; an unknown word is UNKNOWN, as is no word at all."""
    folded = word.strip().casefold()
    meanings = (
        (words.account_active, AccountState.ACTIVE),
        (words.account_pending, AccountState.PENDING),
        (words.account_suspended, AccountState.SUSPENDED),
    )
    return next((state for known, state in meanings if folded in known), AccountState.UNKNOWN)


def _joined(first: Customer, second: Customer) -> Customer:
    """One customer out of two rows with the same account code."""
    if first.seats == second.seats:
        return first
    said = [str(one.seats.seats) if one.seats.problem is None else "something unusable" for one in (first, second)]
    said = ["nothing" if text == "None" else text for text in said]
    problem = f"two rows of the customer list disagree: one says {said[0]}, the other {said[1]}"
    evidence = first.seats.evidence + second.seats.evidence
    return Customer(first.account, SourceCount(Basis.PARTNER_CUSTOMER, evidence, problem=problem))
