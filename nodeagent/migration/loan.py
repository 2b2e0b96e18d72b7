"""Memory of jobs that run elsewhere already, read from their stopped processes here."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nodeagent.dispatch import Audience, Caller, Dispatcher
from ssi.model.sentsignal import SentSignal
from ssi.protocol.envelope import BULK_CHUNK_BYTES
from ssi.protocol.message import Done
from ssi.protocol.migration import EndLoan, GetPages, Pages
from ssi.protocol.refusals import NoSuchProcess, NotPermitted

_log = logging.getLogger(__name__)

IDLE_LIMIT_S: Final = 60.0
"""A destination that asks for nothing for so long has lost the job long since."""


@dataclass(slots=True, kw_only=True)
class Loan:
    """One job whose memory is asked for.

    Attributes:
        destination: The only node that may ask.
        pids: Of its processes here, by what the job itself calls them.
        given_bytes: So far.
        ended: Set when no more is wanted.
        problem: Why the job was lost; empty where all went well.
        sent: Signals to the copy here before it was lent.
    """

    gpid: int
    epoch: int
    destination: str
    pids: dict[int, int]
    given_bytes: int = 0
    asked_s: float = field(default_factory=time.monotonic)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    problem: str = ""
    sent: tuple[SentSignal, ...] = ()

    async def wait(self) -> None:
        """Returns once no more is wanted, or nobody has asked for too long."""
        while not self.ended.is_set():
            try:
                async with asyncio.timeout(IDLE_LIMIT_S / 6):
                    await self.ended.wait()
            except TimeoutError:
                if time.monotonic() - self.asked_s > IDLE_LIMIT_S:
                    self.problem = f"{self.destination} has been silent for {IDLE_LIMIT_S:.0f} s"
                    return


class Lender:
    """Answers for all of them."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._loans: dict[int, Loan] = {}

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what a destination asks."""
        dispatcher.serve(GetPages, self._pages, Audience.NODE)
        dispatcher.serve(EndLoan, self._end, Audience.NODE)

    def open(self, loan: Loan) -> None:
        """From now on its memory can be had."""
        self._loans[loan.gpid] = loan

    def loan(self, gpid: int) -> Loan:
        """The one that was opened."""
        return self._loans[gpid]

    def close(self, gpid: int) -> None:
        """It can be had no more; nothing where it could not be."""
        self._loans.pop(gpid, None)

    async def _pages(self, caller: Caller, body: GetPages) -> Pages:
        loan = self._loan(caller, body.gpid, body.epoch)
        pid = loan.pids.get(body.pid)
        if pid is None or not 0 < body.size_bytes <= BULK_CHUNK_BYTES or body.address < 0:
            raise NoSuchProcess(gpid=body.gpid, detail=f"it has no such memory in {body.pid}")
        try:
            data = await asyncio.to_thread(read_memory, pid, body.address, body.size_bytes)
        except OSError as exc:
            detail = f"its memory cannot be read: {exc.strerror}"
            raise NoSuchProcess(gpid=body.gpid, detail=detail) from exc
        loan.given_bytes += len(data)
        return Pages(data=data)

    async def _end(self, caller: Caller, body: EndLoan) -> Done:
        loan = self._loan(caller, body.gpid, body.epoch)
        loan.problem = body.problem
        loan.ended.set()
        _log.info("event=loan-ended gpid=%d problem=%r", body.gpid, body.problem)
        return Done()

    def _loan(self, caller: Caller, gpid: int, epoch: int) -> Loan:
        loan = self._loans.get(gpid)
        if loan is None or loan.epoch != epoch:
            raise NoSuchProcess(gpid=gpid, detail=f"{self._node} has no memory of it")
        if caller.node != loan.destination:
            deed = f"have memory of job {gpid}"
            raise NotPermitted(node=self._node, user=caller.user, deed=deed)
        loan.asked_s = time.monotonic()
        return loan


def read_memory(pid: int, address: int, size_bytes: int) -> bytes:
    """Memory of a process that does not run.

    Raises:
        OSError: It is gone, or has not all of that.
    """
    descriptor = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, size_bytes, address)
    finally:
        os.close(descriptor)
    if len(data) != size_bytes:
        raise OSError(0, "it ends before")
    return data


def inner_pids(pids: Iterable[int]) -> dict[int, int]:
    """What each process calls itself in its own pid namespace, to what we call it.

    Raises:
        OSError: One is gone.
    """
    found = {}
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                found[int(line.split()[-1])] = pid
    return found
