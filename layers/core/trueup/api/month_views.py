"""Closed months as JSON: links, proofs, replays."""

from __future__ import annotations

from trueup.api.views import View, time_text
from trueup.domain.sealing import LinkKind, SealLink, standing
from trueup.usecases.sealed_proof import Proof, Replay


def link_view(link: SealLink) -> View:
    """One link of the chain. ``seal`` is over the parts, ``hash`` over the whole link and the hash before it."""
    return {
        "number": link.number,
        "kind": link.kind.value,
        "period": link.period,
        "version": link.version,
        "at": time_text(link.at),
        "by": link.by,
        "reason": link.reason or None,
        "run_id": link.run_id or None,
        "replaces": link.replaces or None,
        "outstanding": list(link.outstanding),
        "parts": [{"name": part.name, "sha256": part.sha256, "length_bytes": part.length_bytes} for part in link.parts],
        "seal": link.seal if link.kind is LinkKind.SEALED else None,
        "history": None
        if link.history is None
        else {
            "first_number": link.history.first_number,
            "last_number": link.history.last_number,
            "last_hash": link.history.last_hash,
        },
        "previous_hash": link.previous_hash,
        "hash": link.hash,
    }


def months_view(links: tuple[SealLink, ...]) -> View:
    """One item a period, the newest first: whether it is closed now, with all its links."""
    periods = sorted({link.period for link in links}, reverse=True)
    items = []
    for period in periods:
        newest = standing(period, links)
        assert newest is not None
        items.append(
            {
                "period": period,
                "state": "closed" if newest.kind is LinkKind.SEALED else "reopened",
                "version": newest.version,
                "links": [link_view(link) for link in links if link.period == period],
            }
        )
    return {"items": items, "next_cursor": None}


def proof_view(proof: Proof) -> View:
    """``first_broken`` is the number of the first broken event of the history, ``months.broken`` the first place of the
    closed months that does not hold; both are null when everything does."""
    broken = proof.broken
    return {
        "holds": proof.holds,
        "events": proof.events,
        "first_broken": proof.broken_event,
        "months": {
            "months": proof.months,
            "links": proof.links,
            "parts": proof.parts,
            "pages": proof.pages,
            "last_hash": proof.last_hash or None,
            "broken": None
            if broken is None
            else {
                "number": broken.number or None,
                "period": broken.period or None,
                "part": broken.part or None,
                "words": broken.words,
            },
        },
    }


def replay_view(replay: Replay) -> View:
    return {
        "period": replay.period,
        "version": replay.version,
        "is_same": not replay.difference,
        "difference": replay.difference or None,
        "is_same_form": replay.is_same_form,
        "rows": replay.rows,
        "changes": replay.changes,
        "bytes_compared": replay.bytes_compared,
    }
