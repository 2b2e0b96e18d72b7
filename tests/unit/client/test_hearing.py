from __future__ import annotations

import asyncio
import signal

from ssi.client.hearing import hearing, nothing


def test_whoever_asked_last_hears_and_then_the_one_before_him() -> None:
    heard: list[str] = []

    async def story() -> None:
        async def comes() -> None:
            before = len(heard)
            signal.raise_signal(signal.SIGUSR1)
            while len(heard) == before:
                await asyncio.sleep(0)

        numbers = (signal.SIGUSR1,)
        with hearing(numbers, lambda number: heard.append(f"outer {number}")):
            await comes()
            with hearing(numbers, lambda number: heard.append(f"inner {number}")):
                await comes()
            await comes()

    before = signal.getsignal(signal.SIGUSR1)
    asyncio.run(story())
    number = int(signal.SIGUSR1)
    assert heard == [f"outer {number}", f"inner {number}", f"outer {number}"]
    assert signal.getsignal(signal.SIGUSR1) is before


def test_an_interrupt_between_two_that_hear_it_is_no_end() -> None:
    async def story() -> None:
        with hearing((signal.SIGINT,), nothing):
            with hearing((signal.SIGINT,), nothing):
                pass
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)

    asyncio.run(story())
