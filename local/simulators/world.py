"""The world both simulated vendors look at: Mimecast accounts and agreements, ConnectWise companies and billed lines.

One mutable truth with one lock. Every accepted write is on disk (atomically) before anybody hears of it, when a state
file is set, so a simulator that is killed starts again with what it had promised. It knows no HTTP.
"""

import json
import os
import threading
from bisect import insort
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from local.simulators.messages import wire_time
from local.simulators.world_records import (
    CatalogItem,
    ClientStory,
    ContractLine,
    PsaAddition,
    PsaAgreement,
    PsaCompany,
    VendorAccount,
    VendorContract,
    VendorProduct,
    WriteRecord,
)

if TYPE_CHECKING:
    from local.simulators.directory import Directory

STATE_FORMAT = 1


__all__ = [
    "CatalogItem",
    "ClientStory",
    "ContractLine",
    "PsaAddition",
    "PsaAgreement",
    "PsaCompany",
    "STATE_FORMAT",
    "VendorAccount",
    "VendorContract",
    "VendorProduct",
    "World",
    "WriteRecord",
]


@dataclass
class World:
    """Everything both vendors know, keyed by their ids. Change it only through its methods once it is served."""

    kind: str
    seed: int
    partner: VendorAccount
    accounts: dict[str, VendorAccount] = field(default_factory=dict)
    contracts: dict[str, VendorContract] = field(default_factory=dict)
    vendor_products: dict[str, VendorProduct] = field(default_factory=dict)
    companies: dict[int, PsaCompany] = field(default_factory=dict)
    agreements: dict[int, PsaAgreement] = field(default_factory=dict)
    additions: dict[int, PsaAddition] = field(default_factory=dict)
    catalog: dict[int, CatalogItem] = field(default_factory=dict)
    audit: list[dict[str, Any]] = field(default_factory=list)
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    writes: list[WriteRecord] = field(default_factory=list)
    stories: list[ClientStory] = field(default_factory=list)
    vendor_state: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What one simulated PSA keeps beside the shared records, by its name: plain JSON values, saved with the rest."""

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.state_file: Path | None = None
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._directory: Directory | None = None
        self._lines_of: dict[int, list[int]] = {}
        for addition in self.additions.values():
            self._index(addition)

    def _index(self, addition: PsaAddition) -> None:
        insort(self._lines_of.setdefault(addition.agreement_id, []), addition.id)

    # Reading.

    def lines_of(self, agreement_id: int) -> list[PsaAddition]:
        """The agreement's additions, by rising id."""
        return [self.additions[line_id] for line_id in self._lines_of.get(agreement_id, ())]

    def contract_of(self, account_code: str) -> VendorContract | None:
        """The account's contract, if it has one."""
        return next((one for one in self.contracts.values() if one.account_code == account_code), None)

    @property
    def directory(self) -> "Directory":
        """The clients' Microsoft 365 tenants. They are made when they are first asked for, from the world as it is
        then; few who serve a world look at them.
        """
        from local.simulators.demo_directory import directory_of

        with self.lock:
            if self._directory is None:
                self._directory = directory_of(self)
            return self._directory

    def story(self, name: str) -> list[ClientStory]:
        """The demo clients that play this case."""
        return [story for story in self.stories if story.story == name]

    # Changing: what an accepted API write, or a person at the vendor's own screens, does.

    def add_addition(self, addition: PsaAddition) -> None:
        """Put a new line on its agreement."""
        with self.lock:
            self.additions[addition.id] = addition
            self._index(addition)

    def remove_addition(self, line_id: int) -> PsaAddition:
        """Take a line off its agreement for good. KeyError for an unknown line."""
        with self.lock:
            line = self.additions.pop(line_id)
            self._lines_of[line.agreement_id].remove(line_id)
            self.persist()
            return line

    def edit_addition(self, line_id: int, updated_by: str = "jsmith", **changes: Any) -> PsaAddition:
        """Change fields of a line and move its lastUpdated on. KeyError for an unknown line, TypeError for a field."""
        with self.lock:
            line = self.additions[line_id]
            before = line.quantity
            if "quantity" in changes:
                changes["quantity"] = float(changes["quantity"])
            _assign(line, changes)
            _touch(line, self.clock(), updated_by)
            if line.quantity != before:
                self._audit_quantity(line, before, updated_by)
            self.persist()
            return line

    def edit_agreement(self, agreement_id: int, updated_by: str = "jsmith", **changes: Any) -> PsaAgreement:
        """Change fields of an agreement, for example its status."""
        with self.lock:
            agreement = self.agreements[agreement_id]
            _assign(agreement, changes)
            _touch(agreement, self.clock(), updated_by)
            self.persist()
            return agreement

    def edit_company(self, company_id: int, updated_by: str = "jsmith", **changes: Any) -> PsaCompany:
        """Change fields of a PSA company, for example its name or deleted."""
        with self.lock:
            company = self.companies[company_id]
            _assign(company, changes)
            _touch(company, self.clock(), updated_by)
            self.persist()
            return company

    def edit_account(self, code: str, **changes: Any) -> VendorAccount:
        """Change fields of a Mimecast account."""
        with self.lock:
            account = self.accounts[code]
            _assign(account, changes)
            self.persist()
            return account

    def set_directory(self, directory: "Directory") -> None:
        """Have these tenants instead of those that would be made."""
        with self.lock:
            self._directory = directory
            self.persist()

    def edit_directory(self, work: Callable[["Directory"], object]) -> None:
        """Change the clients' tenants: people come and go, get and lose licenses."""
        with self.lock:
            work(self.directory)
            self.persist()

    def rename(self, side: Literal["vendor", "psa"], account_id: str, name: str) -> None:
        """Give a Mimecast account or a PSA company another name; its id stays."""
        if side == "vendor":
            self.edit_account(account_id, name=name)
        else:
            self.edit_company(int(account_id), name=name)

    def set_agreed_seats(self, code: str, seats: int, product_id: str = "9702") -> None:
        """Mimecast books a change order: contract line, partner count and account count all show the new seats."""
        with self.lock:
            account = self.accounts[code]
            contract = self.contract_of(code)
            for line in contract.lines if contract else ():
                if line.product_id == product_id:
                    line.quantity = seats
            if product_id == "9702":
                account.partner_seats = account.account_seats = seats
            self.persist()

    def remove_account(self, code: str) -> None:
        """The account disappears from the vendor's lists."""
        with self.lock:
            self.accounts.pop(code)
            self.contracts = {key: one for key, one in self.contracts.items() if one.account_code != code}
            self.persist()

    def commit_write(self, record: WriteRecord, line_id: int, **changes: Any) -> PsaAddition:
        """Change a line and record the write that did it, saved together: a crash keeps both or neither."""
        with self.lock:
            state_file, self.state_file = self.state_file, None
            try:
                record.line_id, record.before = line_id, self.additions[line_id].quantity
                line = self.edit_addition(line_id, "ApiMimecast", **changes)
                record.after, record.committed = line.quantity, True
                self.writes.append(record)
            finally:
                self.state_file = state_file
            self.persist()
            return line

    def commit(self, record: WriteRecord, line_id: int | None, work: Callable[[], None]) -> None:
        """Do the work of an accepted write and record it, saved together: a crash keeps both or neither.

        ``work`` sets the record's ``before`` and ``after``; when it raises, nothing is recorded.
        """
        with self.lock:
            state_file, self.state_file = self.state_file, None
            try:
                record.line_id = line_id
                work()
                record.committed = True
                self.writes.append(record)
            finally:
                self.state_file = state_file
            self.persist()

    def close_write(self, record: WriteRecord) -> None:
        """Keep how a write ended; one that was not committed enters the record here."""
        with self.lock:
            if not any(one is record for one in reversed(self.writes)):
                self.writes.append(record)
            self.persist()

    def _audit_quantity(self, line: PsaAddition, before: float, who: str) -> None:
        product = self.catalog[line.product_id].identifier
        self.audit.append(
            {
                "agreement_id": line.agreement_id,
                "text": f"Addition {product} quantity changed from {before:g} to {line.quantity:g}",
                "enteredDate": line.last_updated,
                "enteredBy": who,
                "auditType": "Agreement",
                "auditSubType": "Addition",
                "auditSource": "API" if who == "ApiMimecast" else "Application",
            }
        )

    # Keeping.

    def as_json(self) -> dict[str, Any]:
        """The whole world as plain JSON values."""
        with self.lock:
            record = asdict(self)
            if self._directory is not None:
                record["directory"] = self._directory.as_json()
        return {"format": STATE_FORMAT, **record}

    def persist(self) -> None:
        """Write the state file, when one is set."""
        if self.state_file is not None:
            self.save(self.state_file)

    def save(self, path: Path) -> None:
        """Write the world to a file so that a crash leaves either the old or the new one, never half."""
        with self.lock:
            content = json.dumps(self.as_json(), separators=(",", ":")).encode()
            temporary = path.with_name(path.name + ".new")
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            directory = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    @classmethod
    def load(cls, path: Path) -> "World":
        """Read a saved world. ValueError when the file is of another format."""
        record = json.loads(path.read_bytes())
        if not isinstance(record, dict) or record.pop("format", None) != STATE_FORMAT:
            raise ValueError(f"{path} is not a simulator state file of format {STATE_FORMAT}")
        world = cls(
            kind=record["kind"],
            seed=record["seed"],
            partner=VendorAccount(**record["partner"]),
            accounts={key: VendorAccount(**value) for key, value in record["accounts"].items()},
            contracts={key: _contract(value) for key, value in record["contracts"].items()},
            vendor_products={key: VendorProduct(**value) for key, value in record["vendor_products"].items()},
            companies={int(key): PsaCompany(**value) for key, value in record["companies"].items()},
            agreements={int(key): PsaAgreement(**value) for key, value in record["agreements"].items()},
            additions={int(key): PsaAddition(**value) for key, value in record["additions"].items()},
            catalog={int(key): CatalogItem(**value) for key, value in record["catalog"].items()},
            audit=record["audit"],
            callbacks=record["callbacks"],
            writes=[WriteRecord(**value) for value in record["writes"]],
            stories=[ClientStory(**value) for value in record["stories"]],
            vendor_state=record.get("vendor_state", {}),
        )
        if "directory" in record:
            from local.simulators.directory import Directory

            world._directory = Directory.of_json(record["directory"])
        return world


def _contract(value: dict[str, Any]) -> VendorContract:
    return VendorContract(**{**value, "lines": [ContractLine(**line) for line in value["lines"]]})


def _assign(record: object, changes: Mapping[str, Any]) -> None:
    known = {name for name in getattr(type(record), "__slots__", ()) if name not in ("id", "code")}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise TypeError(f"{type(record).__name__} has no editable field {', '.join(unknown)}")
    for name, value in changes.items():
        setattr(record, name, value)


def _touch(record: PsaAddition | PsaAgreement | PsaCompany, now: datetime, who: str) -> None:
    # ConnectWise keeps whole seconds. Two edits inside one second still get rising stamps here, so that a test which
    # looks for a moved lastUpdated does not depend on the wall clock.
    previous = datetime.fromisoformat(record.last_updated)
    record.last_updated = wire_time(max(now.replace(microsecond=0), previous + timedelta(seconds=1)))
    record.updated_by = who
