"""Closed months on the command line: close, reopen, list, prove, make again, and the evidence of each client."""

from __future__ import annotations

import hashlib
import os
import re
from argparse import Namespace
from pathlib import Path

from local.cli import EXIT_DONE, EXIT_FAILED
from local.cli.files import write_file
from local.cli.output import Column, Output, shown
from local.cli.tables import plural
from local.cli.workplace import Workplace
from trueup.api.evidence_documents import evidence_csv, evidence_html
from trueup.api.month_views import link_view, months_view, proof_view, replay_view
from trueup.api.spreadsheets import csv_table
from trueup.domain.errors import InputInvalid
from trueup.domain.sealing import LinkKind
from trueup.usecases.evidence import EvidencePack, evidence_packs
from trueup.usecases.sealed_proof import Proof, replay_month, verify_months
from trueup.usecases.sealing import reopen_month, seal_month

FILE_NAME_CHARACTERS_MAXIMUM = 60
INDEX_COLUMNS = ("client_id", "client", "file", "sha256")


def seal(workplace: Workplace, arguments: Namespace) -> int:
    link = seal_month(
        arguments.period,
        actor=workplace.actor,
        run_id="",
        tenant=workplace.settings.tenant,
        state=workplace.state,
        clock=workplace.clock,
        reason=arguments.reason,
    )
    workplace.output.document(link_view(link))
    workplace.output.line(
        f"{link.period} is closed (version {link.version}, {len(link.parts)} parts), {link.at:%Y-%m-%d %H:%M} UTC.",
        "green",
    )
    for words in link.outstanding:
        workplace.output.line(f"  outstanding: {shown(words, 300)}")
    workplace.output.line("Its hash, kept elsewhere, proves later that the chain is the same:")
    workplace.output.line(f"  {link.hash}")
    return EXIT_DONE


def reopen(workplace: Workplace, arguments: Namespace) -> int:
    link = reopen_month(
        arguments.period,
        reason=arguments.reason,
        actor=workplace.actor,
        tenant=workplace.settings.tenant,
        state=workplace.state,
        clock=workplace.clock,
    )
    workplace.output.document(link_view(link))
    workplace.output.line(f"{link.period} is open again. What was closed stays as version {link.version}.", "yellow")
    return EXIT_DONE


def months(workplace: Workplace, arguments: Namespace) -> int:
    links = workplace.state.sealed_months.links()
    workplace.output.document(months_view(links))
    if not links:
        workplace.output.line("No month was closed yet.")
        return EXIT_DONE
    workplace.output.table(
        [Column("Link", "number"), Column("Month"), Column("What"), Column("When (UTC)"), Column("Who"),
         Column("Why or outstanding", "text"), Column("Hash")],
        [
            [
                str(link.number),
                link.period,
                f"closed, version {link.version}" if link.kind is LinkKind.SEALED else "reopened",
                f"{link.at:%Y-%m-%d %H:%M}",
                shown(link.by, 20),
                shown("; ".join([link.reason, *link.outstanding]).strip("; "), 200),
                link.hash[:12],
            ]
            for link in links
        ],
    )  # fmt: skip
    return EXIT_DONE


def verify(workplace: Workplace, arguments: Namespace) -> int:
    """1 when a link of either chain, a part or a page is not what it was."""
    proof = verify_months(arguments.period, state=workplace.state, kept_hash=arguments.kept_hash)
    workplace.output.document(proof_view(proof))
    if not proof.holds:
        _say_what_is_broken(workplace.output, proof)
        return EXIT_FAILED
    workplace.output.line(
        f"The history is whole: {proof.events} events, each with the hash of the one before.", "green"
    )
    if proof.links:
        workplace.output.line(
            f"Closed months are whole: {plural(proof.months, 'month', 'months')}, "
            f"{plural(proof.links, 'link', 'links')}, {plural(proof.parts, 'part', 'parts')} and "
            f"{plural(proof.pages, 'page', 'pages')} of what was read.",
            "green",
        )
        workplace.output.line(f"The newest link is {proof.last_hash}.")
    return EXIT_DONE


def _say_what_is_broken(output: Output, proof: Proof) -> None:
    if proof.broken_event is not None:
        output.note(
            f"trueup: event {proof.broken_event} of the history does not follow from the one before; "
            "restore the table from a backup of before the change and compare"
        )
    if proof.broken is not None:
        broken = proof.broken
        where = f"link {broken.number}, {broken.period}" if broken.number else "the closed months"
        part = f", {broken.part}" if broken.part else ""
        output.note(
            f"trueup: the first broken link is {shown(where, 60)}{shown(part, 80)}: {shown(broken.words, 300)}; "
            "restore the table from a backup of before the change and compare"
        )


def replay(workplace: Workplace, arguments: Namespace) -> int:
    """1 when the month comes out otherwise than it was closed."""
    found = replay_month(arguments.period, state=workplace.state)
    workplace.output.document(replay_view(found))
    if found.difference:
        workplace.output.note(f"trueup: {found.period} comes out otherwise: {shown(found.difference, 300)}")
        return EXIT_FAILED
    workplace.output.line(
        f"{found.period} (version {found.version}) comes out the same: {found.rows} rows, {found.changes} changes, "
        f"{found.bytes_compared} bytes.",
        "green",
    )
    return EXIT_DONE


def evidence(workplace: Workplace, arguments: Namespace) -> int:
    packs = evidence_packs(arguments.period, client_id=arguments.client, store=workplace.state.sealed_months)
    folder = _folder(arguments.out)
    index: list[tuple[str, ...]] = []
    for number, pack in enumerate(packs, start=1):
        name = f"{arguments.period}-{number:05d}-{_file_name(pack)}"
        for ending, content in (("html", evidence_html(pack)), ("csv", evidence_csv(pack))):
            path = write_file(os.fspath(folder / f"{name}.{ending}"), content, field="out")
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            index.append((pack.client_id, pack.client_name, path.name, digest))
    write_file(os.fspath(folder / f"{arguments.period}-index.csv"), csv_table(INDEX_COLUMNS, index), field="out")
    workplace.output.document(
        {"folder": os.fspath(folder), "files": [dict(zip(INDEX_COLUMNS, cells, strict=True)) for cells in index]}
    )
    workplace.output.line(f"{len(index)} files and an index were written to {shown(os.fspath(folder), 200)}.")
    return EXIT_DONE


def _folder(name: str) -> Path:
    """The folder, made if it is missing. Raises InputInvalid."""
    path = Path(name)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as unusable:
        why = (unusable.strerror if isinstance(unusable, OSError) else None) or type(unusable).__name__
        raise InputInvalid(
            f"the folder {shown(name, 200)!r} cannot be used: {why}", field="out", remedy="Name another folder."
        ) from unusable
    return path


def _file_name(pack: EvidencePack) -> str:
    """The client's id with nothing in it that a file's name cannot hold; the number before it tells two apart."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", pack.client_id)[:FILE_NAME_CHARACTERS_MAXIMUM] or "client"
