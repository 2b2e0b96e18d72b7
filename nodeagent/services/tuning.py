"""Priorities of single processes, and what only their owners may see of them."""

from __future__ import annotations

import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.jobtable import JobTable
from nodeagent.mechanism import tuning
from nodeagent.mechanism.tracing import system_calls
from nodeagent.services.standing import until_it_goes_on
from nodeagent.services.table import TableService
from ssi.model.process import ProcessRow
from ssi.protocol.message import Done
from ssi.protocol.refusals import NoSuchProcess, NotPermitted, NotServed, UserUnknown
from ssi.protocol.table import InspectProcess, ProcessInspected, TuneProcess

_ASPECTS: Final[Mapping[str, Callable[[int, Path], list[str]]]] = {
    "environment": lambda _pid, directory: tuning.environment(directory),
    "files": lambda _pid, directory: tuning.open_files(directory),
    "cpus": lambda pid, _directory: tuning.processors(pid),
}
_REALTIME: Final = 1


class TuningService:
    """Handlers for single processes.

    Args:
        node: Name of this node.
        jobs: Its jobs.
        table: Knows who is who.
    """

    def __init__(self, node: str, jobs: JobTable, table: TableService) -> None:
        self._node = node
        self._jobs = jobs
        self._table = table

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to single processes."""
        dispatcher.serve(TuneProcess, self._tune)
        dispatcher.serve(InspectProcess, self._inspect)

    async def _tune(self, caller: Caller, body: TuneProcess) -> Done:
        job = self._find(body.gpid, body.start_ms).job
        if job in self._jobs.jobs:
            await until_it_goes_on(self._jobs, job)
        with self._held(caller, body.gpid, body.start_ms, "tune") as (row, _directory):
            if not caller.is_root and (
                body.io_class == _REALTIME or (body.nice is not None and body.nice < row.nice)
            ):
                raise self._refusal(caller, row, "raise the priority of")
            if body.nice is not None:
                tuning.set_nice(row.pid, body.nice)
            if body.cpus is not None:
                tuning.set_cpus(row.pid, body.cpus)
            if body.io_class is not None:
                tuning.set_io_priority(row.pid, body.io_class, body.io_level)
        return Done()

    async def _inspect(self, caller: Caller, body: InspectProcess) -> ProcessInspected:
        deed = f"see the {body.aspect} of"
        with self._held(caller, body.gpid, body.start_ms, deed) as (row, directory):
            if body.aspect == "calls":
                return ProcessInspected(lines=tuple(await self._calls(row)))
            return ProcessInspected(lines=tuple(_ASPECTS[body.aspect](row.pid, directory)))

    async def _calls(self, row: ProcessRow) -> list[str]:
        """What it asks of the kernel for a moment.

        Raises:
            NotServed: There is no strace there.
        """
        try:
            return await system_calls(row.pid)
        except FileNotFoundError as exc:
            deed = f"see the calls of {row.gpid}"
            raise NotServed(node=self._node, request=deed, reason=str(exc)) from exc

    @contextmanager
    def _held(
        self, caller: Caller, gpid: int, start_ms: int, deed: str
    ) -> Iterator[tuple[ProcessRow, Path]]:
        """The process, for its owner or root. Errors of the kernel become errors of ours.

        Its directory is opened first and its identity looked at after, so that a pid that is used
        again in between is noticed.

        Raises:
            NoSuchProcess: It has ended, even where another has its pid now.
            NotPermitted: It is another user's, or has rights that its user has not.
            NotServed: The kernel does not do it.
        """
        row = self._find(gpid, start_ms)
        try:
            with tuning.held(row.pid) as directory:
                row = self._find(gpid, start_ms)
                if not caller.is_root and tuning.owners(directory) != {self._uid(caller)}:
                    raise self._refusal(caller, row, deed)
                yield row, directory
        except (ProcessLookupError, FileNotFoundError) as exc:
            raise NoSuchProcess(gpid=gpid, detail="it has just ended") from exc
        except PermissionError as exc:
            raise self._refusal(caller, row, deed) from exc
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise NotServed(node=self._node, request=f"{deed} {gpid}", reason=reason) from exc

    def _find(self, gpid: int, start_ms: int) -> ProcessRow:
        row = next((row for row in self._table.rows() if row.gpid == gpid), None)
        if row is None or row.start_ms != start_ms:
            detail = f"not on {self._node}" if row is None else "another process has its pid now"
            raise NoSuchProcess(gpid=gpid, detail=detail)
        return row

    def _uid(self, caller: Caller) -> int:
        try:
            return pwd.getpwnam(caller.user).pw_uid
        except KeyError as exc:
            raise UserUnknown(node=self._node, user=caller.user) from exc

    def _refusal(self, caller: Caller, row: ProcessRow, deed: str) -> NotPermitted:
        what = f"{deed} {row.gpid} ({row.name} of {row.user})"
        return NotPermitted(node=self._node, user=caller.user, deed=what)
