"""Memory of stopped processes, for the one node that may have it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import time

import pytest

from nodeagent.dispatch import Caller
from nodeagent.migration.loan import IDLE_LIMIT_S, Lender, Loan, inner_pids, read_memory
from ssi.protocol.message import Done
from ssi.protocol.migration import EndLoan, GetPages, Pages
from ssi.protocol.refusals import NoSuchProcess, NotPermitted

GPID, EPOCH = 15_000_001, 4
MEMORY = ctypes.create_string_buffer(b"what the job holds", 4096)
N2 = Caller(user="root", node="n2")


def lender() -> tuple[Lender, Loan]:
    loan = Loan(gpid=GPID, epoch=EPOCH, destination="n2", pids={1000: os.getpid()})
    made = Lender("n1")
    made.open(loan)
    return made, loan


def pages(pid: int = 1000, epoch: int = EPOCH, size_bytes: int = 4096) -> GetPages:
    address = ctypes.addressof(MEMORY)
    return GetPages(gpid=GPID, epoch=epoch, pid=pid, address=address, size_bytes=size_bytes)


def test_the_destination_is_given_memory() -> None:
    made, loan = lender()
    assert asyncio.run(made._pages(N2, pages())) == Pages(data=MEMORY.raw)
    assert loan.given_bytes == 4096


@pytest.mark.parametrize(
    "body", [pages(pid=1001), pages(epoch=3), pages(size_bytes=0), pages(size_bytes=1 << 30)]
)
def test_what_was_not_lent_is_refused(body: GetPages) -> None:
    with pytest.raises(NoSuchProcess):
        asyncio.run(lender()[0]._pages(N2, body))


def test_no_other_node_is_given_any() -> None:
    with pytest.raises(NotPermitted):
        asyncio.run(lender()[0]._pages(Caller(user="root", node="n3"), pages()))


def test_a_loan_ends_with_what_became_of_the_job() -> None:
    async def ended() -> str:
        made, loan = lender()
        told = EndLoan(gpid=GPID, epoch=EPOCH, problem="the link is cut")
        assert await made._end(N2, told) == Done()
        await loan.wait()
        return loan.problem

    assert asyncio.run(ended()) == "the link is cut"


def test_a_process_that_is_gone_has_no_memory() -> None:
    with pytest.raises(OSError, match="No such"):
        read_memory(2**22 + 1, 4096, 4096)


def test_processes_are_found_by_what_they_call_themselves() -> None:
    assert os.getpid() in inner_pids([os.getpid()]).values()


def test_a_destination_may_be_silent_for_a_while() -> None:
    assert lender()[1].asked_s > time.monotonic() - IDLE_LIMIT_S
