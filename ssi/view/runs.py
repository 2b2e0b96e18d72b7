"""How a command went on many nodes: a line by node sets, and objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from signal import Signals
from typing import Final

from ssi.model.errors import SsiError
from ssi.model.noderun import NodeRun
from ssi.model.nodeset import fold
from ssi.view.jsonview import JsonObject

_FATES: Final = {
    "not-run": "left out",
    "ran-too-long": "took too long",
    "not-told": "did not answer",
}


def summary_of(runs: Sequence[NodeRun], took_s: float) -> str:
    """``n[1-2] ok; n3 exited with 7; 3 nodes in 0.4 s``: all nodes, by how it went."""
    groups: dict[str, list[str]] = {}
    for run in sorted(runs, key=lambda run: run.failed):
        groups.setdefault(_fate(run), []).append(run.node)
    told = [f"{fold(nodes)} {fate}" for fate, nodes in groups.items()]
    count = f"{len(runs)} node{'' if len(runs) == 1 else 's'} in {took_s:.1f} s"
    return "; ".join([*told, count])


def errors_of(runs: Sequence[NodeRun]) -> Mapping[str, SsiError]:
    """Where ssi failed, and why."""
    return {run.node: run.error for run in runs if run.error is not None}


def run_object(
    run: NodeRun, *, status: int | None, stdout: bytes, stderr: bytes, truncated: bool
) -> JsonObject:
    """A node as ``ssi run -o json`` shows it.

    Args:
        run: How it went.
        status: With which ``ssi run`` on that node alone would have ended.
        stdout: What the command wrote, as far as it is kept.
        stderr: Likewise.
        truncated: Whether there was more.
    """
    return {
        "node": run.node,
        "gpid": run.gpid or None,
        "exit_status": status,
        "error": run.error.word if run.error is not None else None,
        "reason": run.error.what() if run.error is not None else None,
        "stdout": stdout.decode(errors="replace"),
        "stderr": stderr.decode(errors="replace"),
        "truncated": truncated,
        "took_s": round(run.took_s, 3),
    }


def _fate(run: NodeRun) -> str:
    if run.error is not None:
        return _FATES.get(run.error.word, f"failed ({run.error.word})")
    if run.exit_status is None:
        return "started"
    if run.exit_status == 0:
        return "ok"
    if run.exit_status > 128:
        try:
            return f"ended by {Signals(run.exit_status - 128).name}"
        except ValueError:  # no signal has that number, so the command said it
            pass
    return f"exited with {run.exit_status}"
