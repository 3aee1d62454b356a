"""What the contracts say: products and agreed seats per account, read in full before the first account is told.

Paths are known from a public script, bodies are not public. Only contracts that are in force count. A credential that
may not see contracts (403, 404) leaves the other sources; any other trouble stops the read, because a half-read list of
contracts would look like smaller agreements.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from trueup.adapters.mimecast.calls import MimecastCalls, PermissionRefused, ResourceUnknown
from trueup.adapters.mimecast.field_mapping import FieldMapping
from trueup.adapters.mimecast.packages import normalized
from trueup.adapters.mimecast.paging import RecordPage, read_record_page, walk
from trueup.adapters.mimecast.permissions import PARTNER
from trueup.adapters.mimecast.products import WHOLE_ACCOUNT, ProductKinds, kind_by_name
from trueup.adapters.mimecast.reading import (
    MISSING,
    RecordReader,
    display_text,
    find,
    identifier,
    read_seats,
    schema_unknown,
    type_name,
)
from trueup.adapters.mimecast.source_counts import SourceCount
from trueup.domain.accounts import Service, ServiceId, ServiceKind
from trueup.domain.counts import Basis
from trueup.ports.clock import Clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ContractedService:
    """One product that one account has under contract, and what the contracts say of its seats."""

    service: Service
    seats: SourceCount


@dataclass(frozen=True, slots=True)
class ContractIndex:
    """Products under contracts in force, by account code.

    ``not_in_force`` tells of each account's contracts that were left out. ``unavailable`` tells why no contracts can be
    read, and is None when they can. ``doubtful_key`` names the field that the codes were found in when it may as well
    hold something else than the code of an account.
    """

    read_at: datetime
    by_account: Mapping[str, tuple[ContractedService, ...]]
    not_in_force: Mapping[str, str] = field(default_factory=dict)
    unavailable: str | None = None
    doubtful_key: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    contract_id: str
    product_id: str
    product_name: str
    seats: SourceCount


class _Is(Enum):
    """What an object that tells seats is; its own id and name are a product's only when it is one."""

    LINE = auto()
    PRODUCT = auto()
    CONTRACT = auto()


class Contracts:
    """Reads the contracts once and keeps them for the read at hand. Safe to share between threads."""

    def __init__(
        self, calls: MimecastCalls, mapping: FieldMapping, clock: Clock, page_size: int, pages_maximum: int
    ) -> None:
        self._calls = calls
        self._mapping = mapping
        self._clock = clock
        self._page_size = page_size
        self._pages_maximum = pages_maximum
        self._lock = threading.Lock()
        self._index: ContractIndex | None = None

    def forget(self) -> None:
        """Read anew at the next question: a new read of the accounts has begun."""
        with self._lock:
            self._index = None

    def index(self) -> ContractIndex:
        """All contracts in force. Raises what MimecastCalls raises but 403, 404; SchemaUnknown and ReadIncomplete."""
        with self._lock:
            if self._index is None:
                self._index = self._read()
            return self._index

    def try_reading(self) -> None:
        """Ask for one contract, to see whether the credential may. Raises as MimecastCalls, 403 and 404 included."""
        self._page(None, page_size=1)

    def _read(self) -> ContractIndex:
        try:
            found = walk(
                lambda token: self._page(token),
                self._identify,
                what="contract",
                pages_maximum=self._pages_maximum,
            )
        except (PermissionRefused, ResourceUnknown) as error:
            logger.warning("Mimecast contracts cannot be read (%s); counts come from the next source", error.code)
            return ContractIndex(self._clock.now(), {}, unavailable=f"contracts cannot be read ({error.code})")
        doubtful_keys = {self._account_code(record)[0] for versions in found.values() for record in versions}
        doubtful_keys.discard("")
        by_account: dict[str, list[_Line]] = {}
        contested: dict[str, str] = {}
        left_out: dict[str, list[str]] = {}
        for contract_id, versions in found.items():
            for record in versions:
                _, code = self._account_code(record)
                if len(versions) > 1:
                    contested[code] = f"contract {contract_id} was sent twice with different content"
                status = self._reader().text(record, self._mapping.contracts.status, required=False)[:40]
                if status.strip().casefold() in self._mapping.words.contract_not_in_force:
                    left_out.setdefault(code, []).append(f"contract {contract_id} is {status}")
                else:
                    by_account.setdefault(code, []).extend(self._lines(contract_id, record, status))
        kinds = ProductKinds(self._calls, self._mapping, self._page_size, self._pages_maximum)
        services = {
            code: _services(lines, kinds.read() if lines else {}, self._mapping, contested.get(code))
            for code, lines in by_account.items()
        }
        notes = {code: ", ".join(texts) for code, texts in left_out.items()}
        return ContractIndex(self._clock.now(), services, notes, doubtful_key=", ".join(sorted(doubtful_keys)))

    def _reader(self) -> RecordReader:
        return RecordReader("contracts", self._mapping.version)

    def _identify(self, record: object) -> str:
        """The contract's id; where it has none, what it is about: two such rows about the same thing contradict."""
        fields = self._mapping.contracts
        if find(record, fields.id)[1] is not MISSING:
            return self._reader().required_identifier(record, fields.id)
        about = f"of {self._account_code(record)[1]}"
        lines, what = self._line_records(record)
        return about if what is not _Is.CONTRACT else f"{about} for {self._product(lines[0], what)[0]}"

    def _account_code(self, record: object) -> tuple[str, str]:
        """The field, if it is a doubtful one, and the code in it. Raises SchemaUnknown when there is none."""
        fields = self._mapping.contracts
        if find(record, fields.account_code)[1] is MISSING:
            key, value = find(record, fields.account_code_doubtful)
            code = identifier(value)
            if code is not None:
                return key, code
        return "", self._reader().required_identifier(record, fields.account_code)

    def _page(self, token: str | None, *, page_size: int | None = None) -> RecordPage:
        fields = self._mapping.contracts
        return read_record_page(
            self._calls,
            fields.path,
            fields.list,
            self._mapping.paging,
            what="contracts",
            token=token,
            page_size=page_size or self._page_size,
            permission=PARTNER,
            mapping_version=self._mapping.version,
        )

    def _lines(self, contract_id: str, record: object, status: str) -> list[_Line]:
        """The lines of a contract that has not ended.

        A status that is no known word makes the seats a problem: whether they are billed cannot be told.
        """
        folded = status.strip().casefold()
        is_known = not folded or folded in self._mapping.words.contract_in_force
        doubt = None if is_known else f"contract {contract_id} has the unknown status {status!r}"
        lines, what = self._line_records(record)
        return [self._line(contract_id, line, doubt, what) for line in lines]

    def _line_records(self, record: object) -> tuple[list[object], _Is]:
        """The line objects of a contract, and what each of them is.

        A contract without a list of lines that names a product or tells seats is its own line.
        """
        fields = self._mapping.contracts
        candidates = (*fields.lines, *fields.lines_of_products)
        key, lines = find(record, candidates)
        if isinstance(lines, list):
            return lines, _Is.PRODUCT if key in fields.lines_of_products else _Is.LINE
        if lines is MISSING and find(record, (*fields.product_id, *fields.seats))[1] is not MISSING:
            return [record], _Is.CONTRACT
        problem = f"{key} is {type_name(lines)}" if key else f"none of {', '.join(candidates)}"
        raise schema_unknown(f"a contract has no lines ({problem})", record, self._mapping.version)

    def _product(self, record: object, what: _Is) -> tuple[str, str]:
        """Id and name of the product of a line; the account as a whole where seats are told and no product is named.

        A product that has a name and no id is known by its name.
        """
        fields = self._mapping.contracts
        own_id = fields.product_id_of_product if what is _Is.PRODUCT else ()
        key, value = find(record, (*fields.product_id, *own_id))
        product_id = identifier(value)
        names = fields.product_name if key or what is not _Is.CONTRACT else fields.product_name_of_contract
        told = [find(record, (candidate,))[1] for candidate in names]
        name = next((display_text(one) for one in told if isinstance(one, str) and one.strip()), "")
        if product_id is None and not key and normalized(name):
            product_id = f"product:{normalized(name)}"
        if product_id is None and not key and find(record, fields.seats)[1] is not MISSING:
            return str(WHOLE_ACCOUNT.id), WHOLE_ACCOUNT.name
        if product_id is None:
            raise schema_unknown("a contract line names no product", record, self._mapping.version)
        return product_id, name or product_id

    def _line(self, contract_id: str, record: object, doubt: str | None, what: _Is) -> _Line:
        fields = self._mapping.contracts
        product_id, name = self._product(record, what)
        seats = read_seats(
            record,
            fields.seats,
            basis=Basis.CONTRACT,
            source=f"GET {fields.path}",
            reference=f"{contract_id}/{product_id}",
        )
        if doubt is not None:
            seats = SourceCount(Basis.CONTRACT, seats.evidence, problem=doubt)
        return _Line(contract_id, product_id, name, seats)


def _services(
    lines: list[_Line], kinds: Mapping[str, ServiceKind], mapping: FieldMapping, contested: str | None
) -> tuple[ContractedService, ...]:
    """One service per product of one account."""
    by_product: dict[str, list[_Line]] = {}
    for line in lines:
        by_product.setdefault(line.product_id, []).append(line)
    services = []
    for product_id, same in sorted(by_product.items()):
        name = same[0].product_name
        kind = kinds.get(product_id) or kind_by_name(name, mapping.words)
        is_whole = product_id == WHOLE_ACCOUNT.id
        service = WHOLE_ACCOUNT if is_whole else Service(ServiceId(product_id), name, kind)
        seats = SourceCount(Basis.CONTRACT, problem=contested) if contested else _joined(same)
        services.append(ContractedService(service, seats))
    return tuple(services)


def _joined(lines: list[_Line]) -> SourceCount:
    """What several lines of one product say together.

    On different contracts they are added: each contract agrees seats of its own. Two on one contract may as well be one
    line and its correction, so they are a problem for a person.
    """
    if len(lines) == 1:
        return lines[0].seats
    evidence = tuple(one for line in lines for one in line.seats.evidence[:1])
    contracts = [line.contract_id for line in lines]
    if len(set(contracts)) < len(contracts):
        repeated = next(one for one in contracts if contracts.count(one) > 1)
        problem = f"contract {repeated} has more than one line for product {lines[0].product_id}"
        return SourceCount(Basis.CONTRACT, evidence, problem=problem)
    bad = next((line.seats.problem for line in lines if line.seats.problem), None)
    if bad is None and any(line.seats.seats is None for line in lines):
        bad = f"one of {len(lines)} contracts for product {lines[0].product_id} tells no seats"
    if bad is None and any(one.seats != line.seats.seats for line in lines for one in line.seats.evidence):
        bad = f"a contract line for product {lines[0].product_id} tells two different numbers"
    return SourceCount(Basis.CONTRACT, evidence, problem=bad, summed=True)
