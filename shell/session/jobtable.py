"""The jobs of a shell: their numbers and marks, and what ``%1`` and the like name."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

from shell.errors import NoSuchJob
from shell.session.values import JobLine
from ssi.client.jobs import JobHandle
from ssi.client.viewer import Watch
from ssi.model.job import JobState


@dataclass(slots=True, kw_only=True)
class Entry:
    """A job of the shell.

    Attributes:
        number: ``%number``.
        command: As it was typed.
        handles: Its jobs in the system, one for each stage; the last gives the status.
        state: As last heard.
        watch: How far its output was shown.
        statuses: Of its stages, once it ended.
        is_told: The person knows its state.
        doubts: Of stages whose end nobody could tell: which, and why.
    """

    number: int
    command: str
    handles: tuple[JobHandle, ...]
    state: JobState = JobState.RUNNING
    watch: Watch = field(default_factory=Watch)
    statuses: tuple[int, ...] = ()
    is_told: bool = True
    doubts: tuple[str, ...] = ()

    @property
    def gpid(self) -> int:
        """Of its last stage."""
        return self.handles[-1].row.gpid

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in {JobState.EXITED, JobState.LOST}


class JobTable:
    """See the module. The job that was stopped or put into the background last is ``%+``."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._recent: list[int] = []

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._entries.values(), key=lambda entry: entry.number))

    def add(self, command: str, handles: tuple[JobHandle, ...], watch: Watch) -> Entry:
        """A job that goes on while the shell does other things, by the next number."""
        number = max(self._entries, default=0) + 1
        entry = Entry(number=number, command=command, handles=handles, watch=watch)
        self._entries[number] = entry
        self._recent.append(number)
        return entry

    def touch(self, entry: Entry) -> None:
        """It is ``%+`` from now on."""
        if entry.number in self._recent:
            self._recent.remove(entry.number)
        self._recent.append(entry.number)

    def remove(self, entry: Entry) -> None:
        """It is none of this shell's any more."""
        self._entries.pop(entry.number, None)
        if entry.number in self._recent:
            self._recent.remove(entry.number)

    def mark(self, entry: Entry) -> str:
        """``+``, ``-`` or a space. A stopped job goes before one that runs."""
        order = self._order()
        place = order.index(entry.number) if entry.number in order else 2
        return "+- "[min(place, 2)]

    def lines(self) -> tuple[JobLine, ...]:
        """As ``jobs`` shows them."""
        return tuple(
            JobLine(
                number=entry.number,
                mark=self.mark(entry),
                gpid=entry.gpid,
                node=entry.handles[-1].row.node,
                state=word_for(entry),
                command=entry.command,
            )
            for entry in self
        )

    def find(self, spec: str) -> Entry:
        """The job that a word names: ``%1 %+ %% %- %cmd %?text``, a gpid, or none for ``%+``.

        Raises:
            NoSuchJob: None, or several.
        """
        order = self._order()
        name = spec.removeprefix("%")
        if spec.isdigit():
            found = [each for each in self if int(spec) in {h.row.gpid for h in each.handles}]
        elif name in {"", "+", "%"}:
            found = [self._entries[number] for number in order[:1]]
        elif name == "-":
            found = [self._entries[number] for number in (order[1:2] or order[:1])]
        elif name.isdigit():
            found = [each for each in self if each.number == int(name)]
        elif name.startswith("?"):
            found = [each for each in self if name[1:] in each.command]
        else:
            found = [each for each in self if each.command.startswith(name)]
        if len(found) != 1:
            raise NoSuchJob(spec=spec or "%+", several=len(found) > 1)
        return found[0]

    def _order(self) -> list[int]:
        recent = [number for number in reversed(self._recent) if number in self._entries]
        return sorted(recent, key=lambda n: self._entries[n].state is not JobState.STOPPED)


def word_for(entry: Entry) -> str:
    """Its state as bash says it."""
    match entry.state:
        case JobState.STOPPED:
            return "Stopped"
        case JobState.EXITED:
            return _word_for_end(entry)
        case JobState.LOST:
            return "Lost"
        case JobState.FROZEN:
            return "Frozen"
        case _:
            return "Running"


def _word_for_end(entry: Entry) -> str:
    row = entry.handles[-1].row
    if row.killed_by:
        word = signal.strsignal(row.killed_by) or f"Signal {row.killed_by}"
        return f"{word:<23} (core dumped)" if row.dumped_core else word
    status = entry.statuses[-1] if entry.statuses else 0
    return f"Exit {status}" if status else "Done"


def job_text(number: int, mark: str, state: str, command: str, *, who: str = "") -> str:
    """A job as bash shows it, with its columns."""
    behind = " &" if state == "Running" else ""
    return f"[{number}]{mark}  {who}{state:<23} {command}{behind}"


def jobs_text(lines: tuple[JobLine, ...], *, long: bool = False) -> str:
    """What ``jobs`` prints; ``long``: with gpids and nodes."""
    return "".join(
        job_text(
            line.number,
            line.mark,
            line.state,
            line.command,
            who=f"{line.gpid} {line.node:8} " if long else "",
        )
        + "\n"
        for line in lines
    )


def with_gpids(words: list[str], table: JobTable) -> list[str]:
    """The words with the gpids of the jobs that some of them name.

    Raises:
        NoSuchJob: One names none.
    """
    return [str(table.find(word).gpid) if re.match(r"%.", word) else word for word in words]
