"""Measures the matching: are automatic mappings right, is the partner suggested, what do time and memory cost.

    python -m benchmarks.matching [--sizes 1000,10000,100000] [--plain-sizes 1000,10000] [--draws 20] [--json]

Open world: half of the true partners, chosen at random with a fixed seed, are taken out of the PSA side, as when a
client was never entered there. Every automatic mapping of such an orphan is wrong by definition, and bills a stranger.
Suggestions are measured with all partners present: is the partner first, or among the first two.

Names: the real and perturbed company names in ``../shared/data/company_names`` (test_names and adjusted_test_names,
paired by row; leuven, in each draw one vendor and one PSA name per company), where that folder is present, and invented
ones (benchmarks/invented_names.py). Among many invented companies the PSA's name of one is at times letter for letter
the vendor's name of another (sisters that differ in a legal form which the PSA leaves out), as in life: these show as
wrong mappings of the exact rule. The weights of the suggestions were chosen on these same names, so that their figures
are no forecast for others; the rules of the automatic mapping were written down first and not fitted.

Beside Trueup stands the plain way: rapidfuzz's WRatio of each name against all names, its best taken as a mapping from
90 up. Each size runs in a process of its own, so that peak memory is its own. Milliseconds a name include building the
index for the queries of the table.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rapidfuzz import fuzz, process
from rapidfuzz import utils as rapidfuzz_processing

from benchmarks.invented_names import invented_companies
from trueup.adapters.name_similarity import RapidNameSimilarity
from trueup.domain.matching import MatchRule, Named, match_names

COMPANY_NAMES = Path(__file__).resolve().parents[2] / "shared" / "data" / "company_names"
SEED = 2024
PLAIN_SCORE_MINIMUM = 90
PLAIN_QUERIES = 500


@dataclass(frozen=True, slots=True)
class Pairs:
    """True pairs by position: the same position on both sides is the same company."""

    vendor: tuple[str, ...]
    psa: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Automatic:
    """What one way of mapping by itself did, over all draws. Shares are None where nothing was to divide."""

    names: str
    way: str
    mapped: int
    right: int
    wrong: int
    orphans: int
    orphans_mapped: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """How often the partner was first, or among the first two."""

    names: str
    way: str
    queries: int
    top_1: float
    top_2: float
    milliseconds_per_name: float


@dataclass(frozen=True, slots=True)
class Sized:
    """Time and peak memory for one number of invented names a side, in a process of its own."""

    names_per_side: int
    match_seconds: float
    index_seconds: float
    suggest_seconds: float
    names_megabytes: float
    peak_megabytes: float


def peak_megabytes() -> float:
    """Peak resident memory of this process. Linux counts a parent's memory into ru_maxrss, so its own mark is read."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


def named(names: Iterable[str]) -> list[Named]:
    """Accounts whose id is the position of the name."""
    return [Named(str(position), name) for position, name in enumerate(names)]


# The ways of mapping by itself: each gives pairs of a vendor id and a PSA id.


def exact_only(vendor: Sequence[Named], psa: Sequence[Named]) -> list[tuple[str, str]]:
    matches = match_names(vendor, psa).matches
    return [(match.vendor_id, match.psa_id) for match in matches if match.rule is MatchRule.EXACT]


def exact_and_safe_key(vendor: Sequence[Named], psa: Sequence[Named]) -> list[tuple[str, str]]:
    return [(match.vendor_id, match.psa_id) for match in match_names(vendor, psa).matches]


def plain_best(vendor: Sequence[Named], psa: Sequence[Named]) -> list[tuple[str, str]]:
    found = []
    for account in vendor:
        best = plain_ranking(account.name, psa, limit=1)
        if best and best[0][1] >= PLAIN_SCORE_MINIMUM:
            found.append((account.id, best[0][0]))
    return found


def plain_ranking(name: str, psa: Sequence[Named], limit: int) -> list[tuple[str, float]]:
    choices = {account.id: account.name for account in psa}
    found = process.extract(
        name, choices, scorer=fuzz.WRatio, processor=rapidfuzz_processing.default_process, limit=limit
    )
    return [(account_id, score) for _, score, account_id in found]


WAYS: dict[str, Callable[[Sequence[Named], Sequence[Named]], list[tuple[str, str]]]] = {
    "exact name only": exact_only,
    "Trueup: exact, then safe key": exact_and_safe_key,
    f"plain: best WRatio from {PLAIN_SCORE_MINIMUM}": plain_best,
}


def measure_automatic(label: str, draws: Sequence[Pairs], ways: Iterable[str]) -> list[Automatic]:
    """Open world: in each draw half of the partners are missing on the PSA side."""
    results = []
    for way in ways:
        mapped = right = orphans = orphans_mapped = present = 0
        for number, pairs in enumerate(draws):
            positions = list(range(len(pairs.psa)))
            kept = set(random.Random(SEED + number).sample(positions, len(positions) // 2))
            psa = [account for account in named(pairs.psa) if int(account.id) in kept]
            links = WAYS[way](named(pairs.vendor), psa)
            mapped += len(links)
            right += sum(vendor_id == psa_id for vendor_id, psa_id in links)
            orphans += len(positions) - len(kept)
            orphans_mapped += sum(int(vendor_id) not in kept for vendor_id, _ in links)
            present += len(kept)
        results.append(
            Automatic(
                names=label,
                way=way,
                mapped=mapped,
                right=right,
                wrong=mapped - right,
                orphans=orphans,
                orphans_mapped=orphans_mapped,
                precision=right / mapped if mapped else None,
                recall=right / present if present else None,
            )
        )
    return results


def measure_suggestions(label: str, draws: Sequence[Pairs], queries_maximum: int | None = None) -> list[Ranked]:
    """Trueup and the plain way on the same queries. The time of Trueup holds the building of its index."""
    tallies = {"Trueup: rare features, then rapidfuzz": [0, 0, 0.0], "plain: WRatio against all": [0, 0, 0.0]}
    queries = 0
    for number, pairs in enumerate(draws):
        vendor, psa = named(pairs.vendor), named(pairs.psa)
        if queries_maximum is not None and len(vendor) > queries_maximum:
            vendor = random.Random(SEED + number).sample(vendor, queries_maximum)
        queries += len(vendor)
        started = time.perf_counter()
        ours = {
            vendor_id: [suggestion.psa_id for suggestion in suggestions[:2]]
            for vendor_id, suggestions in RapidNameSimilarity().suggest(vendor, psa, limit=2)
        }
        between = time.perf_counter()
        plain = {account.id: [found for found, _ in plain_ranking(account.name, psa, limit=2)] for account in vendor}
        ended = time.perf_counter()
        for tally, found, seconds in zip(
            tallies.values(), (ours, plain), (between - started, ended - between), strict=True
        ):
            tally[0] += sum(vendor_id in ids[:1] for vendor_id, ids in found.items())
            tally[1] += sum(vendor_id in ids for vendor_id, ids in found.items())
            tally[2] += seconds
    return [
        Ranked(label, way, queries, first / queries, second / queries, 1000 * seconds / queries)
        for way, (first, second, seconds) in tallies.items()
    ]


def measure_size(count: int) -> Sized:
    """Match and suggest for ``count`` invented names a side; only in a fresh process is the peak the size's own."""
    pairs = invented_pairs(count)
    vendor, psa = named(pairs.vendor), named(pairs.psa)
    names_megabytes = peak_megabytes()
    started = time.perf_counter()
    match_names(vendor, psa)
    matched = time.perf_counter()
    stream = RapidNameSimilarity().suggest(vendor, psa)
    next(stream)
    indexed = time.perf_counter()
    for _ in stream:
        pass
    ended = time.perf_counter()
    return Sized(count, matched - started, indexed - matched, ended - indexed, names_megabytes, peak_megabytes())


def invented_pairs(count: int) -> Pairs:
    companies = invented_companies(count)
    return Pairs(
        vendor=tuple(company.vendor_name for company in companies), psa=tuple(company.psa_name for company in companies)
    )


def perturbed_pairs() -> Pairs:
    """test_names against adjusted_test_names, by row number."""
    sides = []
    for file in ("test_names.csv", "adjusted_test_names.csv"):
        with (COMPANY_NAMES / file).open(encoding="utf-8", newline="") as lines:
            sides.append(tuple(row["company_name"] for row in csv.DictReader(lines)))
    return Pairs(vendor=sides[0], psa=sides[1])


def leuven_draws(draws: int) -> list[Pairs]:
    """In each draw one vendor and one PSA name per company, written differently where the company has two writings."""
    names_by_company: dict[str, set[str]] = defaultdict(set)
    with (COMPANY_NAMES / "leuven_applicants.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            names_by_company[row["leuven_id"]].add(row["person_name"])
    drawn = []
    for number in range(draws):
        choose = random.Random(SEED + number)
        writings = [sorted(names) for _, names in sorted(names_by_company.items())]
        pairs = [choose.sample(names, 2) if len(names) > 1 else [names[0], names[0]] for names in writings]
        drawn.append(Pairs(vendor=tuple(pair[0] for pair in pairs), psa=tuple(pair[1] for pair in pairs)))
    return drawn


def in_own_process(kind: str, count: int) -> list[dict[str, object]]:
    say(f"{kind}: {count:,} invented names a side ...")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.matching", "--part", kind, str(count)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    parts: list[dict[str, object]] = json.loads(done.stdout)
    return parts


def run_part(kind: str, count: int) -> list[dict[str, object]]:
    """One measurement for one size, in this process."""
    label = f"invented, {count:,}"
    if kind == "size":
        return [asdict(measure_size(count))]
    draws = [invented_pairs(count)]
    if kind == "automatic":
        return [asdict(row) for row in measure_automatic(label, draws, list(WAYS)[:2])]
    if kind == "plain-automatic":
        return [asdict(row) for row in measure_automatic(label, draws, list(WAYS)[2:])]
    return [asdict(row) for row in measure_suggestions(label, draws, PLAIN_QUERIES)]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching", description="Measure the matching of names.")
    parser.add_argument("--sizes", type=numbers, default=[1_000, 10_000, 100_000], help="invented names a side")
    parser.add_argument("--plain-sizes", type=numbers, default=[1_000, 10_000], help="sizes for the plain way as well")
    parser.add_argument("--draws", type=int, default=20, help="random draws of the real names")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--part", nargs=2, metavar=("KIND", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.part:
        print(json.dumps(run_part(options.part[0], int(options.part[1]))))
        return 0
    figures = measure_all(options.sizes, options.plain_sizes, options.draws)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print_tables(figures)
    return 0


def measure_all(sizes: Sequence[int], plain_sizes: Sequence[int], draws: int) -> dict[str, list[dict[str, object]]]:
    automatic: list[dict[str, object]] = []
    suggestions: list[dict[str, object]] = []
    if COMPANY_NAMES.is_dir():
        say("real names: 500 perturbed, and leuven ...")
        for label, pairs in (("perturbed", [perturbed_pairs()] * draws), ("leuven", leuven_draws(draws))):
            automatic += [asdict(row) for row in measure_automatic(label, pairs, WAYS)]
        suggestions += [asdict(row) for row in measure_suggestions("perturbed", [perturbed_pairs()])]
        suggestions += [asdict(row) for row in measure_suggestions("leuven", leuven_draws(draws))]
    else:
        say("../shared/data/company_names is not there: only invented names are measured.")
    for size in sizes:
        automatic += in_own_process("automatic", size)
        if size == min(plain_sizes, default=0):
            automatic += in_own_process("plain-automatic", size)
        if size in plain_sizes:
            suggestions += in_own_process("suggestions", size)
    sized = [row for size in sizes for row in in_own_process("size", size)]
    return {"automatic": automatic, "suggestions": suggestions, "sizes": sized}


TABLES = (
    (
        "automatic",
        "Mapped without a person, half of the partners missing",
        (
            ("names", "names", "{}"),
            ("way", "way", "{}"),
            ("mapped", "mapped", "{:,}"),
            ("wrong", "wrong", "{:,}"),
            ("orphans", "orphans", "{:,}"),
            ("orphans_mapped", "orphans mapped", "{:,}"),
            ("precision", "precision", "{:.2%}"),
            ("recall", "recall", "{:.1%}"),
        ),
    ),
    (
        "suggestions",
        "Suggestions: is the true partner among them",
        (
            ("names", "names", "{}"),
            ("way", "way", "{}"),
            ("queries", "queries", "{:,}"),
            ("top_1", "first", "{:.1%}"),
            ("top_2", "first two", "{:.1%}"),
            ("milliseconds_per_name", "ms a name", "{:.2f}"),
        ),
    ),
    (
        "sizes",
        "Time and memory, one process each (invented names)",
        (
            ("names_per_side", "names a side", "{:,}"),
            ("match_seconds", "match s", "{:.2f}"),
            ("index_seconds", "index s", "{:.2f}"),
            ("suggest_seconds", "suggest s", "{:.1f}"),
            ("names_megabytes", "before MB", "{:.0f}"),
            ("peak_megabytes", "peak MB", "{:.0f}"),
        ),
    ),
)


def print_tables(figures: dict[str, list[dict[str, object]]]) -> None:
    for key, title, columns in TABLES:
        rows = [[heading for _, heading, _ in columns]]
        for row in figures[key]:
            rows.append(["-" if row[name] is None else shape.format(row[name]) for name, _, shape in columns])
        widths = [max(len(row[column]) for row in rows) for column in range(len(columns))]
        is_text = [shape == "{}" for _, _, shape in columns]
        print(f"\n{title}\n")
        for cells_of_row in rows:
            cells = zip(cells_of_row, widths, is_text, strict=True)
            print("  " + "  ".join(cell.ljust(width) if text else cell.rjust(width) for cell, width, text in cells))


if __name__ == "__main__":
    sys.exit(main())
