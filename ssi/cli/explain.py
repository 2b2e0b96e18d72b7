"""``ssi explain``: what a code of an error means, why it may have come, and what helps."""

from __future__ import annotations

import asyncio
import tomllib
from contextlib import suppress
from dataclasses import fields, replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer

from ssi.cli.output import Output, Seen, shows
from ssi.model.errors import SsiError, UsageError
from ssi.view.explanations import Explanation, Lesson

SOURCE: Final = Path(__file__).with_name("explanations.toml")

MODULES: Final = (
    "nodeagent.services.sequence",
    "nodeagent.shim.frames",
    "shell.errors",
    "shell.prompt.history",
    "ssi.cli.clients",
    "ssi.cli.outcome",
    "ssi.cli.tour",
    "ssi.client.errors",
    "ssi.client.files.errors",
    "ssi.deploy.errors",
    "ssi.deploy.unreached",
    "ssi.lab.errors",
    "ssi.model.adoption",
    "ssi.model.checkpoint",
    "ssi.model.drain",
    "ssi.model.freezing",
    "ssi.model.gpid",
    "ssi.model.jobfiles",
    "ssi.model.launch",
    "ssi.model.migration",
    "ssi.model.pipe",
    "ssi.model.nodeset",
    "ssi.model.shim",
    "ssi.protocol.codec",
    "ssi.protocol.refusals",
    "ssi.transport.door",
    "ssi.transport.keys",
    "ssi.transport.listener",
)
"""Where errors are defined; a node does not have all of them."""


@shows
def explain(
    output: Output,
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE]...",
            help="As it stands in brackets behind an error; or an exit status. All if left out.",
        ),
    ] = None,
) -> None:
    """Explain errors by their codes: what happened, why it may have, and what to try."""
    known = explanations()
    blank = Lesson(explanations=(), at_length=bool(codes))
    output.text(blank)  # what cannot be shown fails before anything is looked up
    wanted = [each for code in codes for each in look_up(code, known)] if codes else [*known]

    async def take() -> Seen:
        return Seen(listed=replace(blank, explanations=wanted))

    raise typer.Exit(asyncio.run(output.looks(take)))


def explanations() -> list[Explanation]:
    """All that are known here, by code."""
    for module in MODULES:
        with suppress(ModuleNotFoundError):  # a node has no part that deploys
            import_module(module)
    texts = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    found = []
    for word, kind in sorted(SsiError.classes().items()):
        text = texts.get(word)
        if text is not None:
            meaning = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
            found.append(
                Explanation(
                    code=word,
                    exit_status=kind.exit_code,
                    what=meaning,
                    why=text["why"],
                    remedy=text["try"],
                    fields=tuple(field.name for field in fields(kind)),
                )
            )
    return found


def look_up(code: str, known: list[Explanation]) -> list[Explanation]:
    """Those that a person means by a code, or by an exit status.

    Raises:
        UsageError: There is none.
    """
    plain = code.strip("[]").lower()
    found = [each for each in known if plain in {each.code, str(each.exit_status)}]
    if not found:
        close = get_close_matches(plain, [each.code for each in known])
        hint = f"did you mean {', '.join(close)}?" if close else "`ssi explain` shows all codes"
        raise UsageError(text=f"no error has the code {code!r}", hint=hint)
    return found
