"""The end of the demo month: who is counted, what the month came to, and its closing; or the month that is closed.

Must not: reopen a closed month. A person does that with a reason, and a demo has none.
"""

from __future__ import annotations

from local.demo_sums import report_checks, say_checks
from local.demo_telling import Telling

_TOTAL_LINES = 6
"""Of `trueup report`: the sums of the month, before those by client."""


class Closing:
    """The chapters that correct nothing."""

    def __init__(self, telling: Telling, period: str) -> None:
        self._telling = telling
        self._period = period

    def show_people(self, client: str) -> None:
        """Who of that client is licensed and is nobody's seat."""
        entries = self._telling.workplace.state.license_accounts.all()
        found = next((entry for entry in entries if entry.psa_name == client and entry.psa_id is not None), None)
        if found is None:
            return
        self._telling.title(
            "See who counts",
            "A license does not make a person. Shared mailboxes, rooms, guests and blocked users hold licenses too and "
            "do not count, unless the counting policy says so. These have a license and are left out:",
        )
        self._telling.do("counting", "people", str(found.psa_id), "--out")

    def report(self) -> int:
        """What the month came to. How many of its sums do not add up."""
        self._telling.title(
            "Look at what it came to",
            "Found is what the comparisons saw; corrected is what was approved and written; the rest is outstanding.",
        )
        self._telling.do("report", lines_maximum=_TOTAL_LINES)
        return self._checks()

    def close(self) -> None:
        self._telling.title(
            "Close the month",
            "Everything it was decided on is sealed with a hash chain and becomes read-only. Open orders do not hinder "
            "that: they are named, and go on into the next month.",
        )
        self._telling.do("seal", self._period)
        self._telling.do("verify")

    def show_closed_month(self) -> int:
        """An earlier demo closed the month: it stays as it is. How many of its sums do not add up."""
        self._telling.title(
            "The month is closed",
            "An earlier demo closed it, and a closed month is read-only: there is nothing to do until the next one.",
        )
        self._telling.refused("run")
        self._telling.say("What it was closed with is proven, and comes out the same when it is compared again:")
        self._telling.do("verify")
        self._telling.do("replay", self._period)
        self._telling.do("report", lines_maximum=_TOTAL_LINES)
        return self._checks()

    def _checks(self) -> int:
        report = self._telling.document("report", self._period)
        return say_checks(self._telling.stage, report_checks(report))
