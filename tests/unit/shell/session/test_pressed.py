from __future__ import annotations

import asyncio
import os
import signal

from shell.session.pressed import pressed


def test_keys_that_are_pressed_while_a_job_is_started_are_kept_for_it_and_no_longer_heard() -> None:
    async def story() -> bytes:
        loop = asyncio.get_running_loop()
        with pressed() as keys:
            for number in (signal.SIGQUIT, signal.SIGTSTP):
                before = len(keys)
                os.kill(os.getpid(), number)
                while len(keys) == before:
                    await asyncio.sleep(0.001)
        assert signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
        assert not loop.remove_signal_handler(signal.SIGQUIT)
        return bytes(keys)

    as_before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        assert asyncio.run(story()) == b"\x1c\x1a"
    finally:
        signal.signal(signal.SIGTSTP, as_before)
