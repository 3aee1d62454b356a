"""Domain values as bytes and back: JSON in an envelope with a schema version, compressed.

Method: pydantic reads and writes the domain's own dataclasses; decimals stay exact as text, times are ISO 8601. Fields
that an old record does not have take their default, fields that this code does not know are left out.
Must not: accept a record of a later schema, which an older deployment would read as less than it says.
"""

from __future__ import annotations

import functools
import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trueup.domain.accounts import VendorPage
from trueup.domain.allocation import Allocation
from trueup.domain.api_keys import ApiKey
from trueup.domain.audit import AuditEvent
from trueup.domain.billing import PsaPage
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.errors import StateTrouble, StateUnavailable
from trueup.domain.integrations import Integration
from trueup.domain.licenses import LicensePage
from trueup.domain.mapping import AccountEntry, ServiceEntry
from trueup.domain.notices import ChannelSetting, Delivery
from trueup.domain.plan import Change, ChangeResult, Plan
from trueup.domain.portal_users import PortalBook
from trueup.domain.runs import Run, Snapshot
from trueup.domain.verdicts import ExcludedAccount, OpenAccount, Row, Totals

SCHEMA = 1
_UNPACKED_MAXIMUM_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ComparisonHeader:
    """Which rows are the comparison of a period.

    ``previous`` is the generation before, still there for a reader in the middle of it; ``retired`` are generations to
    be deleted. ``spans`` says for each verdict where its rows are: (first row, how many). ``totals`` is None in what
    older code stored, which kept them in the rest alone. ``inputs`` are the parts of what it was made of, as (name,
    content address); none in what older code stored.
    """

    period: str
    run_id: str
    at: datetime
    generation: str
    rows: int
    spans: dict[str, tuple[tuple[int, int], ...]]
    rest: str
    previous: str = ""
    previous_rows: int = 0
    previous_spans: dict[str, tuple[tuple[int, int], ...]] | None = None
    retired: tuple[str, ...] = ()
    totals: Totals | None = None
    inputs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ComparisonRest:
    """What a comparison has beside its rows."""

    excluded: tuple[ExcludedAccount, ...]
    unmapped: tuple[OpenAccount, ...]
    ambiguous: tuple[OpenAccount, ...]
    totals: Totals


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """A plan whose changes lie in ``groups`` by content address; ``round`` grows when it is proposed afresh."""

    plan: Plan
    groups: tuple[str, ...]
    round: int = 1


@dataclass(frozen=True, slots=True)
class UploadHeader:
    """Where the bytes of a kept file are and what is known of it; no generation when it was removed.

    ``digest`` is their SHA-256.
    """

    generation: str
    pieces: int
    digest: str
    rows: int
    uploaded_at: datetime
    uploaded_by: str


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has a lease until when; no owner when it was given back. ``fence`` only grows."""

    owner: str
    fence: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """One Idempotency-Key: nobody else may answer it until ``busy_until``, and it is remembered until ``until``."""

    fingerprint: str
    busy_until: datetime
    until: datetime
    answered: bool = False


class Codec[Value]:
    """One kind of record."""

    def __init__(self, kind: str, type_: Any) -> None:
        self._kind = kind
        self._type = type_

    @functools.cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        """Built at the first use: a function that stores one kind of record need not wait for all of them."""
        return TypeAdapter(self._type)

    def plain(self, value: Value) -> bytes:
        """The bytes before they are compressed: the same value always has the same ones.

        ASCII with escapes, because UTF-8 cannot carry the lone surrogates that outside names may hold.
        """
        data = self._adapter.dump_python(value, mode="json")
        envelope = {"schema": SCHEMA, "kind": self._kind, "data": data}
        return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode("ascii")

    def pack(self, value: Value) -> bytes:
        return pack(self.plain(value))

    def unpack(self, content: bytes) -> Value:
        return self.read(unpack(content))

    def read(self, plain: bytes) -> Value:
        """Raises StateUnavailable when the bytes are not such a record, StateTrouble when later code wrote them."""
        try:
            envelope = json.loads(plain)
            schema, kind, data = int(envelope["schema"]), envelope["kind"], envelope["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise StateUnavailable(f"a stored {self._kind} cannot be read") from error
        if kind != self._kind:
            raise StateUnavailable(f"a stored {self._kind} was wanted and a {kind!r} found")
        if schema > SCHEMA:
            raise StateTrouble(
                f"a stored {kind} has schema {schema}, and this version of Trueup knows {SCHEMA}",
                remedy="Deploy the newer version again; nothing was changed.",
            )
        try:
            value: Value = self._adapter.validate_python(data)
        except ValidationError as error:
            where = sorted({".".join(str(part) for part in item["loc"]) for item in error.errors()})
            raise StateUnavailable(f"a stored {kind} lacks or misstates {', '.join(where[:5])}") from None
        return value


def pack(plain: bytes) -> bytes:
    return zlib.compress(plain, 6)


def unpack(content: bytes) -> bytes:
    """Raises StateUnavailable when the bytes were damaged or are far larger than anything that was stored."""
    engine = zlib.decompressobj()
    try:
        plain = engine.decompress(content, _UNPACKED_MAXIMUM_BYTES)
    except zlib.error as error:
        raise StateUnavailable("a stored record is damaged") from error
    if not engine.eof:
        raise StateUnavailable("a stored record is cut off or too large")
    return plain


INTEGRATION = Codec[Integration]("integration", Integration)
VENDOR_PAGE = Codec[VendorPage]("vendor page", VendorPage)
PSA_PAGE = Codec[PsaPage]("psa page", PsaPage)
LICENSE_PAGE = Codec[LicensePage]("license page", LicensePage)
SNAPSHOT = Codec[Snapshot]("snapshot", Snapshot)
ACCOUNT = Codec[AccountEntry]("vendor account", AccountEntry)
SERVICE = Codec[ServiceEntry]("vendor service", ServiceEntry)
COUNTING_POLICY = Codec[CountingPolicy]("counting policy", CountingPolicy)
ALLOCATION = Codec[Allocation]("allocation", Allocation)
RUN = Codec[Run]("run", Run)
ROW = Codec[Row]("row", Row)
COMPARISON = Codec[ComparisonHeader]("comparison", ComparisonHeader)
COMPARISON_REST = Codec[ComparisonRest]("comparison rest", ComparisonRest)
PLAN = Codec[PlanHeader]("plan", PlanHeader)
CHANGES = Codec[tuple[Change, ...]]("changes", tuple[Change, ...])
RESULT = Codec[ChangeResult]("change result", ChangeResult)
EVENT = Codec[AuditEvent]("event", AuditEvent)
UPLOAD = Codec[UploadHeader]("upload", UploadHeader)
LEASE = Codec[Lease]("lease", Lease)
CLAIM = Codec[Claim]("claim", Claim)
API_KEY = Codec[ApiKey]("api key", ApiKey)
PORTAL_BOOK = Codec[PortalBook]("portal users", PortalBook)
DELIVERY = Codec[Delivery]("delivery", Delivery)
NOTICE_CHANNEL = Codec[ChannelSetting]("notice channel", ChannelSetting)
CHANGE_ORDER = Codec[ChangeOrder]("change order", ChangeOrder)
