"""``ssi top`` as the command line starts it; Textual is imported only where it is needed."""

from __future__ import annotations

import sys
from dataclasses import replace

from ssi.client.connection import Connection
from ssi.client.system import System
from tui.frame import one_frame
from tui.settingsfile import load_settings


async def show_top(*, every_s: float, readonly: bool, once: bool, width_cells: int) -> int:
    """Shows the system until the person leaves; or one frame of it, as text.

    Args:
        every_s: Between two looks at the nodes; 0 for as the settings say.
        readonly: Nothing can be changed.
        once: One frame on stdout, and no terminal is needed.
        width_cells: Of that frame.

    Raises:
        SsiError: The agent of this machine does not answer.
    """
    kept = load_settings()
    settings = replace(kept, every_s=every_s or kept.every_s, readonly=readonly or kept.readonly)
    async with await Connection.open() as connection:
        system = System(connection)
        if once:
            sys.stdout.write(await one_frame(system, settings, width_cells))
            return 0
        from tui.top import Top  # some 0.4 s, which no other command must pay

        top = Top(system, settings)
        status = await top.run_async()
        await system.connection.close()  # another one, where the door had closed meanwhile
        return top.return_code or status or 0
