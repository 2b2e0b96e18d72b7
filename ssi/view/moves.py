"""Moves, checks of moves and candidates for them, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ssi.model.errors import SsiError
from ssi.policy.placement import Rejection, Suggestion
from ssi.protocol.migration import JobMigrated, MigrationChecked
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Listing
from ssi.view.quantity import size
from ssi.view.text import plain

WORTH_TELLING: Final = 0.95
"""Of what was to be sent: what compression saved is told from there on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node that might take a job.

    Attributes:
        job: Its first gpid.
        score: Lower is better; None for one that is out of the question.
        fits: Nothing stands in the way.
        reasons: What made the score, or what stands in the way.
    """

    job: int
    node: str
    score: float | None
    fits: bool
    reasons: tuple[str, ...]


def moved_line(source: str, destination: str, moved: JobMigrated) -> str:
    """A move that was made, in one line."""
    carried = f", {size(moved.carried_bytes)} of files" if moved.files_carried else ""
    return (
        f"{moved.row.gpid} {source} -> {destination}: {moved.total_ms:.0f} ms in all, "
        f"frozen for {moved.freeze_ms:.0f} ms, image {size(moved.image_bytes)}{carried}"
        f"{_early(moved)}{_packed(moved)}{_late(moved)}"
    )


def moved_object(source: str, destination: str, moved: JobMigrated) -> JsonObject:
    """The same for ``--json``."""
    return {
        "gpid": moved.row.gpid,
        "source": source,
        "destination": destination,
        "moved": True,
        "total_ms": moved.total_ms,
        "freeze_ms": moved.freeze_ms,
        "image_bytes": moved.image_bytes,
        "carried_bytes": moved.carried_bytes,
        "files": list(moved.files_carried),
        "sent_bytes": moved.sent_bytes,
        "compressed_bytes": moved.packed_bytes,
        "dump_ms": moved.dump_ms,
        "send_ms": moved.send_ms,
        "restore_ms": moved.restore_ms,
        "late_bytes": moved.late_bytes,
        "early_bytes": moved.early_bytes,
        "rounds": moved.rounds,
        "not_ahead": moved.not_ahead,
        "error": None,
    }


def adopted_line(gpid: int, node: str, moved: JobMigrated) -> str:
    """A process that became a job, in one line."""
    return (
        f"{moved.row.gpid} on {moved.row.node} was {gpid} on {node}: "
        f"{moved.total_ms:.0f} ms in all, stopped for {moved.freeze_ms:.0f} ms"
    )


def owned_object(gpid: int, node: str, job: int) -> JsonObject:
    """A process that is one of a job now."""
    return {"gpid": gpid, "node": node, "job": job}


def adoptable_lines(checked: MigrationChecked) -> str:
    """Whether a process can become a job: one line, and one for each blocker."""
    blockers = _blockers(checked)
    if not blockers:
        return f"{checked.gpid} on {checked.source}: can become a job\n"
    lines = [f"{checked.gpid} on {checked.source}: cannot become a job"]
    lines += [f"  {node}: {plain(reason)}" for node, reason in blockers]
    return "\n".join(lines) + "\n"


def failed_object(gpid: int, error: SsiError) -> JsonObject:
    """A move or check that failed."""
    return {"gpid": gpid, "moved": False, "error": error.word, "reason": error.what()}


def checked_lines(checked: MigrationChecked) -> str:
    """A dry run: one line if nothing stands in the way, else one for each blocker too."""
    way = f"{checked.gpid} {checked.source} -> {checked.destination}"
    blockers = _blockers(checked)
    if not blockers:
        memory, files = size(checked.image_bytes), size(checked.file_bytes)
        return f"{way}: can move, about {memory} of memory and {files} of files\n"
    lines = [f"{way}: cannot move"]
    lines += [f"  {node}: {plain(reason)}" for node, reason in blockers]
    return "\n".join(lines) + "\n"


def checked_object(checked: MigrationChecked) -> JsonObject:
    """The same for ``--json``."""
    blockers = [{"node": node, "reason": reason} for node, reason in _blockers(checked)]
    return {
        "gpid": checked.gpid,
        "source": checked.source,
        "destination": checked.destination,
        "can_move": not blockers,
        "blockers": blockers,
        "image_bytes": checked.image_bytes,
        "file_bytes": checked.file_bytes,
        "error": None,
    }


def candidates_of(
    job: int,
    suggestions: Sequence[Suggestion],
    checks: Sequence[MigrationChecked],
    rejections: Sequence[Rejection],
) -> list[Candidate]:
    """All nodes, those that fit first, best first; then those with a blocker; then the others."""
    judged = [
        Candidate(
            job=job,
            node=suggestion.node,
            score=suggestion.score,
            fits=not _blockers(checked),
            reasons=tuple(f"{node}: {reason}" for node, reason in _blockers(checked))
            or suggestion.reasons,
        )
        for suggestion, checked in zip(suggestions, checks, strict=True)
    ]
    out = [
        Candidate(job=job, node=each.node, score=None, fits=False, reasons=(each.reason,))
        for each in rejections
    ]
    return [*sorted(judged, key=lambda candidate: not candidate.fits), *out]


def candidate_listing(candidates: Sequence[Candidate]) -> Listing[Candidate]:
    """A line for each node, in the order given; the first of a job that fits is the best."""
    best: dict[int, str] = {}
    for candidate in candidates:
        if candidate.fits:
            best.setdefault(candidate.job, candidate.node)
    several = len({candidate.job for candidate in candidates}) > 1

    def verdict(candidate: Candidate) -> str:
        is_best = best.get(candidate.job) == candidate.node
        return "best" if is_best else "could" if candidate.fits else "no"

    fields: tuple[Field[Candidate], ...] = (
        Field(name="job", cell=lambda candidate: str(candidate.job), right=True, wide=not several),
        Field(name="node", cell=lambda candidate: candidate.node),
        Field(
            name="score",
            cell=lambda candidate: "-" if candidate.score is None else f"{candidate.score:.2f}",
            order=lambda candidate: float("inf") if candidate.score is None else candidate.score,
            right=True,
        ),
        Field(name="verdict", cell=verdict),
        Field(name="why", cell=lambda candidate: "; ".join(candidate.reasons)),
    )
    return Listing(
        kind="why",
        fields=fields,
        rows=candidates,
        objects_of=candidate_objects,
        name_of=lambda candidate: candidate.node,
    )


def candidate_objects(candidates: Sequence[Candidate]) -> list[JsonObject]:
    """The same for ``--json``."""
    return [
        {
            "job": candidate.job,
            "node": candidate.node,
            "score": candidate.score,
            "fits": candidate.fits,
            "reasons": list(candidate.reasons),
        }
        for candidate in candidates
    ]


def _packed(moved: JobMigrated) -> str:
    """What the link was spared, if that is worth a word: a busy one has a few pieces packed."""
    whole_bytes = moved.image_bytes + moved.carried_bytes
    if moved.packed_bytes == 0 or moved.sent_bytes > whole_bytes * WORTH_TELLING:
        return ""
    return f", compressed to {size(moved.sent_bytes)}"


def _early(moved: JobMigrated) -> str:
    """What went while it still ran."""
    if not moved.rounds:
        return f", none of it before ({plain(moved.not_ahead)})" if moved.not_ahead else ""
    rounds = "1 round" if moved.rounds == 1 else f"{moved.rounds} rounds"
    return f", {size(moved.early_bytes)} of memory before it in {rounds}"


def _late(moved: JobMigrated) -> str:
    """What came when it ran already."""
    return f", {size(moved.late_bytes)} of memory after it" if moved.late_bytes else ""


def _blockers(checked: MigrationChecked) -> list[tuple[str, str]]:
    return [
        *((checked.source, reason) for reason in checked.here),
        *((checked.destination, reason) for reason in checked.there),
    ]
