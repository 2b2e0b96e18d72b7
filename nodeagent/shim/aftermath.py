"""What a dump leaves of the tree of a job: who is to be continued, and who has ended."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Final

from nodeagent.mechanism.procfs import is_dying
from nodeagent.shim.tree import Member
from ssi.model.shim import DumpFailed

STOPPED: Final = "Tt"
ZOMBIE: Final = "Z"
"""States, as proc_pid_stat(5) has them."""


def to_wake(members: Iterable[Member], stopped_before: Set[int], *, all_stopped: bool) -> list[int]:
    """Whom to continue: what the dump stopped, and only that.

    Args:
        members: The tree of the job, children first: a shell that wakes before its child would be
            told that it stopped.
        stopped_before: Stay as they are.
        all_stopped: SIGSTOP was sent to each, though some may not have noticed yet.
    """
    return [
        member.pid
        for member in members
        if (all_stopped or member.state in STOPPED)
        and member.state != ZOMBIE
        and member.pid not in stopped_before
    ]


def with_losses(failure: DumpFailed, before: Iterable[Member]) -> DumpFailed:
    """Why a dump failed, and which processes of the tree ``before`` it have ended since."""
    lost = [each for each in before if each.state != ZOMBIE and is_dying(each.pid)]
    if not lost:
        return failure
    names = ", ".join(f"{each.pid} ({each.name})" for each in lost[:5])
    names += f" and {len(lost) - 5} more" if len(lost) > 5 else ""
    return DumpFailed(reason=f"{failure.reason}; of its processes these ended with it: {names}")
