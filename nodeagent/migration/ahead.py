"""Memory goes ahead of a job that runs on: all of it, then again and again what was written to."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from nodeagent.jobtable import make_directory, remove_tree
from nodeagent.migration.hold import Point, reach
from nodeagent.migration.move import Move
from nodeagent.migration.reason import leaf_of, text_of
from nodeagent.migration.roundimages import round_name
from nodeagent.migration.rounds import Round, goes_on
from nodeagent.migration.sending import Sending
from nodeagent.migration.standby import stand_by
from nodeagent.migration.transfer import Courier
from nodeagent.shim.messages import CopyAhead, GetStatus, Ok, StandByToDump, Status
from ssi.model.shim import DumpFailed, NotMovable, WrongStage

COPY_TIMEOUT_S: Final = 600.0
ASK_TIMEOUT_S: Final = 20.0

_log: Final = logging.getLogger(__name__)


async def send_ahead(move: Move, courier: Courier, criu: str) -> None:
    """Sends memory in rounds, until what is left is small or does not become smaller.

    Where CRIU fails at it the dump has all of the memory, as without: what went ahead counts for
    nothing then, because it is not known what it lacks.

    Args:
        move: Its rounds are noted in it.
        courier: Sends them.
        criu: The program.

    Raises:
        SsiError: The destination does not take them, or the shim is gone.
        OSError: They cannot be read.
    """
    gpid, shim = move.row.gpid, move.job.shim()
    status = await shim.ask(GetStatus(), Status, ASK_TIMEOUT_S)
    if not status.copies_ahead:
        move.not_ahead = "it was started by an earlier version"
        return
    make_directory(move.images)
    rounds: list[Round] = []
    try:
        while not rounds or goes_on(rounds, move.room_bytes):
            await reach(Point.SOURCE_AHEAD, gpid)
            rounds.append(await _send_round(move, courier, criu))
    except* (DumpFailed, NotMovable, WrongStage) as group:
        move.not_ahead = text_of(leaf_of(group))
        _log.warning("event=no-copy-ahead gpid=%d reason=%s", gpid, move.not_ahead)
        for name in move.rounds:
            remove_tree(move.images / name)
        move.rounds.clear()
        move.ahead.entries.clear()
    told = " ".join(f"{each.size_bytes}/{each.took_s:.2f}s" for each in rounds)
    _log.info("event=copied-ahead gpid=%d rounds=%r", gpid, told)
    await stand_by(move.job, StandByToDump(criu=criu))


async def _send_round(move: Move, courier: Courier, criu: str) -> Round:
    began_s = time.monotonic()
    name = round_name(len(move.rounds))
    parent = f"../{move.parent}" if move.parent else ""
    move.rounds.append(name)
    (move.images / name).mkdir(mode=0o700)
    sending = Sending(courier, move, name)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sending.run())
        try:
            request = CopyAhead(criu=criu, images=str(move.images / name), parent=parent)
            await move.job.shim().ask(request, Ok, COPY_TIMEOUT_S)
            sending.reader.written.set()
        except BaseException:
            sending.reader.give_up()
            raise
    sending.check()
    sent = sending.reader.manifest
    move.ahead.entries += sent.entries
    return Round(sent.size_bytes, time.monotonic() - began_s)
