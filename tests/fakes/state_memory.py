"""What the fakes of the state share: one memory, one lock, and switches that make a chosen call fail.

Must not: know a rule of any port; the fakes do.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, cast

from trueup.domain.accounts import VendorPage
from trueup.domain.allocation import Allocation
from trueup.domain.api_keys import ApiKey
from trueup.domain.audit import GENESIS, Audit, AuditEvent, chained
from trueup.domain.billing import PsaPage
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.comparison import ComparisonInputs, Findings
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.errors import StateUnavailable, VersionConflict
from trueup.domain.integrations import Integration, IntegrationName, Side
from trueup.domain.licenses import LicensePage
from trueup.domain.mapping import AccountEntry, ServiceEntry
from trueup.domain.notices import ChannelName, ChannelSetting, Delivery
from trueup.domain.plan import Plan
from trueup.domain.portal_users import PortalBook
from trueup.domain.runs import Run, Snapshot
from trueup.domain.sealing import SealLink
from trueup.domain.uploads import Upload
from trueup.domain.verdicts import Reconciliation
from trueup.ports.clock import Clock
from trueup.ports.state import ComparisonSummary


@dataclass(slots=True)
class _Switch:
    call: str
    error: BaseException
    when: Literal["before", "after"]
    skip: int
    times: int


@dataclass(slots=True)
class Switches:
    """Failures on demand. A call is named by its port and method: ``plans.record``, ``accounts.save``.

    ``calls`` lists the writing calls in order, those that failed too.
    """

    calls: list[str] = field(default_factory=list)
    _set: list[_Switch] = field(default_factory=list)

    def fail(
        self,
        call: str,
        error: BaseException | None = None,
        *,
        when: Literal["before", "after"] = "before",
        skip: int = 0,
        times: int = 1,
    ) -> None:
        """Raise the error at that call: ``before`` nothing is stored, ``after`` it is stored but the reply is lost.

        ``skip`` lets so many such calls pass first; ``*`` stands for every writing call.
        """
        self._set.append(_Switch(call, error or StateUnavailable("the store is away"), when, skip, times))

    def heal(self) -> None:
        """Nothing fails any more."""
        self._set.clear()

    def meet(self, call: str, when: Literal["before", "after"]) -> None:
        if when == "before":
            self.calls.append(call)
        for switch in self._set:
            if switch.when != when or switch.call not in {call, "*"} or not switch.times:
                continue
            if switch.skip:
                switch.skip -= 1
                continue
            switch.times -= 1
            raise switch.error


@dataclass(slots=True)
class Memory:
    clock: Clock
    switches: Switches = field(default_factory=Switches)
    lock: threading.RLock = field(default_factory=threading.RLock)
    integrations: dict[IntegrationName, Integration] = field(default_factory=dict)
    pages: dict[str, VendorPage | PsaPage | LicensePage] = field(default_factory=dict)
    headers: dict[str, Snapshot] = field(default_factory=dict)
    latest: dict[Side, Snapshot] = field(default_factory=dict)
    accounts: dict[str, AccountEntry] = field(default_factory=dict)
    license_accounts: dict[str, AccountEntry] = field(default_factory=dict)
    counting_policies: dict[tuple[str, str], list[CountingPolicy]] = field(default_factory=dict)
    services: dict[str, ServiceEntry] = field(default_factory=dict)
    allocations: dict[tuple[str, str, str], Allocation] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    comparisons: dict[str, Reconciliation] = field(default_factory=dict)
    summaries: dict[str, ComparisonSummary] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    current: dict[str, str] = field(default_factory=dict)
    intents: dict[str, set[str]] = field(default_factory=dict)
    events: list[AuditEvent] = field(default_factory=list)
    leases: dict[str, tuple[str, int, datetime]] = field(default_factory=dict)
    checkpoints: dict[tuple[str, Side], bytes] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    api_keys: dict[str, ApiKey] = field(default_factory=dict)
    counters: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    deliveries: dict[tuple[str, str, ChannelName], Delivery] = field(default_factory=dict)
    notice_channels: dict[ChannelName, ChannelSetting] = field(default_factory=dict)
    links: list[SealLink] = field(default_factory=list)
    parts: dict[str, bytes] = field(default_factory=dict)
    inputs: dict[str, ComparisonInputs | None] = field(default_factory=dict)
    findings: dict[str, list[Findings]] = field(default_factory=dict)
    change_orders: dict[str, ChangeOrder] = field(default_factory=dict)
    portal_book: PortalBook = field(default_factory=PortalBook)

    def log(self, *audits: Audit | None) -> None:
        for audit in audits:
            if audit is not None:
                utc = replace(audit, at=audit.at.astimezone(UTC))
                previous = self.events[-1].hash if self.events else GENESIS
                self.events.append(chained(utc, number=len(self.events) + 1, previous_hash=previous))


@dataclass(slots=True)
class Claim:
    fingerprint: str
    busy_until: datetime
    until: datetime
    reply: bytes | None = None


class Store:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory


def effect[**P, R](call: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The method under the lock, with the switches of that call around it."""

    def around(method: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(method)
        def run(*arguments: P.args, **named: P.kwargs) -> R:
            memory = cast(Store, arguments[0])._memory
            with memory.lock:
                memory.switches.meet(call, "before")
                result = method(*arguments, **named)
                memory.switches.meet(call, "after")
                return result

        return run

    return around


def require_version(name: str, given: int, stored: int) -> None:
    if given != stored:
        raise VersionConflict(f"{name} was changed by somebody else since it was read")
