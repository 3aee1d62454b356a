"""What is in a sealed month, as values; the bytes of each part are made of these and can be read back to them."""

from __future__ import annotations

from dataclasses import dataclass

from trueup.domain.allocation import Allocation
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.comparison import ComparisonInputs, Figure, Findings
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.mapping import AccountEntry, ServiceEntry
from trueup.domain.monthly_report import MonthlyReport
from trueup.domain.plan import Plan
from trueup.domain.runs import Run, Snapshot
from trueup.domain.verdicts import Reconciliation


@dataclass(frozen=True, slots=True)
class SealedContents:
    """Everything that a month is closed with.

    ``comparison`` is the last comparison of the month. ``inputs`` is what it was made of, without the mapping, which is
    in ``accounts``, ``services`` and ``allocations`` as it was then; None for a comparison of before that was kept.
    ``reads`` are the headers of the reads of all sides: digests and the addresses of their pages. ``plans`` are all
    plans of the period with changes, approvals and results, the replaced ones too; ``orders`` its change orders and
    those of earlier months that were open still; ``runs`` all its runs. ``findings`` are what each comparison of the
    month found, the first one first; ``figures`` the counts of each row and ``report`` what the month came to.
    ``license_accounts`` and ``counting_policies`` are by which tenants and rules licensed users were counted.
    """

    comparison: Reconciliation
    inputs: ComparisonInputs | None
    reads: tuple[Snapshot, ...] = ()
    accounts: tuple[AccountEntry, ...] = ()
    services: tuple[ServiceEntry, ...] = ()
    license_accounts: tuple[AccountEntry, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    counting_policies: tuple[CountingPolicy, ...] = ()
    plans: tuple[Plan, ...] = ()
    orders: tuple[ChangeOrder, ...] = ()
    runs: tuple[Run, ...] = ()
    findings: tuple[Findings, ...] = ()
    figures: tuple[Figure, ...] = ()
    report: MonthlyReport | None = None
