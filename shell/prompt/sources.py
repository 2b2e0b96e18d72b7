"""Asks whoever knows what a word may become."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from shell.prompt import questions
from shell.prompt.candidate import Candidate, ranked
from shell.prompt.request import Request
from shell.prompt.seat import Seat
from ssi.client.candidates import PATIENCE_S

EACH: Final = 0.9
"""The part of that time for bash, so that what comes with it is still shown."""

Ask = Callable[[str, str], Awaitable[list[tuple[str, str]]]]
"""Asks the system: a kind of word, and what there is of it; what it may become, and what that is.
It is :func:`ssi.client.candidates.candidates`."""

_KINDS: Final = {
    "a": "alias",
    "f": "function",
    "k": "keyword",
    "b": "builtin",
    "c": "program",
}


class Sources:
    """Where candidates come from.

    Args:
        seat: The session.
        ask: Asks the system.
        builtins: Verbs that are commands by themselves, and what they do.
        patience_s: Later than that, a person has typed on: there is nothing to offer then.
    """

    def __init__(
        self,
        seat: Seat,
        ask: Ask,
        builtins: Mapping[str, str],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self._seat = seat
        self._ask = ask
        self._builtins = builtins

    async def find(self, request: Request) -> list[Candidate]:
        """What the word may become; nothing of what is not known in time."""
        wanted = [self._of(request)]
        if request.files_too:
            wanted.append(self._paths(request.typed, request.node))
        found: list[Candidate] = []
        for each in await asyncio.gather(*(self._in_time(each) for each in wanted)):
            found += each
        return ranked(found, request.typed)

    async def _in_time(self, wanted: Awaitable[Iterable[Candidate]]) -> Iterable[Candidate]:
        try:
            return await asyncio.wait_for(wanted, self._patience_s)
        except TimeoutError:
            return []

    async def _of(self, request: Request) -> Iterable[Candidate]:
        match request.kind:
            case "nodes":
                return await self._places(request)
            case "jobs":
                return self._jobs()
            case "offers":
                return [_named(name, about) for name, about in request.offers.items()]
            case "system":
                answers = await self._ask(request.source, request.typed)
                return [_named(value, about) for value, about in answers]
            case "nothing":
                return []
            case _:
                return await self._of_bash(request)

    async def _of_bash(self, request: Request) -> list[Candidate]:
        match request.kind:
            case "programs":
                return await self._programs(request)
            case "paths":
                return await self._paths(request.typed, request.node)
            case "variables":
                answer = await self._query(questions.variables(request.typed), request.node)
                return [Candidate(value=each[1:], is_whole=False) for each in answer]
            case _:
                answer = await self._query(questions.words(request.line), request.node)
                return [_word(each) for each in answer]

    async def _places(self, request: Request) -> list[Candidate]:
        """Behind ``@``: nodes, also within a set, and whom to ask for one."""
        is_set = request.prefix == "@{"
        answers = await self._ask("nodes", request.typed)
        found = [
            Candidate(value=value, about=about, is_whole=not is_set) for value, about in answers
        ]
        if not is_set and not set(request.typed) & set(",!&^."):
            found.append(Candidate(value="auto", about="where it suits best"))
        return found

    def _jobs(self) -> list[Candidate]:
        return [
            Candidate(value=f"%{job.number}", about=f"{job.command[:60]} ({job.state}, {job.node})")
            for job in self._seat.jobs()
        ]

    async def _programs(self, request: Request) -> list[Candidate]:
        ours = [Candidate(value=name, about=about) for name, about in self._builtins.items()]
        answer = await self._query(questions.programs(request.typed), request.node)
        return [
            *ours,
            *(Candidate(value=each[1:], about=_KINDS.get(each[0], "")) for each in answer),
        ]

    async def _paths(self, typed: str, node: str) -> list[Candidate]:
        return [_word(each) for each in await self._query(questions.files(typed), node)]

    async def _query(self, script: str, node: str) -> list[str]:
        answer = await self._seat.query(script, node=node, limit_s=self._patience_s * EACH)
        text = (answer or b"").decode("utf-8", "surrogateescape")
        return [each for each in text.split("\0")[:-1] if len(each) > 1]


def _word(answer: str) -> Candidate:
    kind, value = answer[0], answer[1:]
    match kind:
        case "d":
            return Candidate(value=f"{value}/", about="directory", is_whole=False)
        case "x":
            return Candidate(value=value, about="program")
        case "n" if value.endswith(" "):
            return Candidate(value=value.rstrip(" "))
        case "n":
            return Candidate(value=value, is_whole=False)
        case _:
            return _named(value, "")


def _named(value: str, about: str) -> Candidate:
    return Candidate(value=value, about=about, is_whole=not value.endswith(("/", ":", "=")))
