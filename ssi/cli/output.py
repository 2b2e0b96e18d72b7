"""What a command shows, as the user wants it: the options for that, and looks that are repeated."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Annotated, Concatenate, Final, NoReturn, ParamSpec

import typer

from ssi.cli.missing import missing_notices
from ssi.cli.options import Keywords, extended, parameters_of
from ssi.cli.outcome import run_async
from ssi.cli.screen import DEFAULT_EVERY_S, Look, show, watch, width_cells
from ssi.cli.settings import wants_colour
from ssi.client.errors import PartialAnswer
from ssi.client.system import System
from ssi.model.errors import SsiError, UsageError
from ssi.view.listing import Format, Listed, Report, Way, render

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look at the system gave.

    Attributes:
        failures: Nodes that did not answer, and why.
        missing: What is not shown for them: ``its processes are not shown``.
        exit_code: Where all of them answered.
    """

    listed: Listed
    failures: Mapping[str, SsiError] = field(default_factory=dict)
    missing: str = "its part is missing"
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How the user wants to see what a command shows."""

    format: Format = Format.TABLE
    columns: str = ""
    sort: str = ""
    headers: bool = True
    watching: bool = False
    every_s: float = DEFAULT_EVERY_S

    @property
    def is_data(self) -> bool:
        """Whether it is for a program, and so comes whole at the end."""
        return self.format not in {Format.TABLE, Format.WIDE}

    def present(
        self, blank: Listed, take: Callable[[System], Awaitable[Seen]], *, limited: bool = False
    ) -> NoReturn:
        """Shows what ``take`` sees, once or again and again, and ends the command.

        Args:
            blank: The same without rows: what cannot be shown fails before anybody is asked.
            take: Looks at the system.
            limited: Whether all of it has to be done within ``--timeout``, and not each answer.

        Raises:
            UsageError: A column or a key to sort by is unknown.
        """
        self.text(blank)
        run_async(lambda system: self.looks(lambda: take(system)), limited=limited)

    def text(self, listed: Listed, look: int = 0) -> str:
        """The rows in the format that was asked for."""
        way = Way(
            format=self.format,
            columns=self.columns,
            sort=self.sort,
            headers=self.headers,
            width_cells=width_cells(),
            colour=wants_colour(sys.stdout),
            look=look,
        )
        return render(listed, way)

    def write(self, listed: Listed) -> None:
        """Shows them at once."""
        sys.stdout.write(self.text(listed))
        sys.stdout.flush()

    def told(self, report: Report) -> None:
        """Shows the results of deeds whose lines were printed when they were done."""
        if self.is_data:
            self.write(report)

    async def looks(self, take: Callable[[], Awaitable[Seen]]) -> int:
        """Shows what ``take`` sees, once or until interrupted; the exit status."""
        if not self.watching:
            return show(self._look(await take()))
        looks = count(1)

        async def look() -> Look:
            return self._look(await take(), next(looks))

        return await watch(look, self.every_s, draws=not self.is_data)

    def _look(self, seen: Seen, number: int = 0) -> Look:
        return Look(
            text=self.text(seen.listed, number),
            notices=missing_notices(seen.failures, seen.missing),
            exit_code=PartialAnswer.exit_code if seen.failures else seen.exit_code,
        )


def _result_options(
    *,
    form: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT|COLUMNS",
            help="table, wide, json, jsonl, yaml, name; or columns by name: a,b.",
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
) -> None:
    """Options of a command that tells what it did."""


def _list_options(
    *,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Leave out the titles.")] = False,
    sort: Annotated[
        str, typer.Option(metavar="KEYS", help="Order by columns, - for descending: -age,name.")
    ] = "",
    watching: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again.")] = False,
    every_s: Annotated[
        float, typer.Option("--every", min=0.1, metavar="SECONDS", help="Between two looks.")
    ] = DEFAULT_EVERY_S,
) -> None:
    """Options of a command that shows rows."""


RESULTS: Final = tuple(parameters_of(_result_options).values())
ROWS: Final = (*RESULTS, *parameters_of(_list_options).values())
_WATCH: Final = Annotated[bool, typer.Option("--watch", help="Look again and again.")]
ROWS_WITHOUT_W: Final = tuple(
    each.replace(annotation=_WATCH) if each.name == "watching" else each for each in ROWS
)
MAKES: Final = tuple(each for each in RESULTS if each.name == "as_json")


def shows(command: Callable[Concatenate[Output, P], None]) -> Callable[..., None]:
    """A command that shows rows: it is given an :class:`Output`."""
    return extended(command, ROWS, _take_rows, leave_out=frozenset({"output"}))


def shows_where_w_is_taken(
    command: Callable[Concatenate[Output, P], None],
) -> Callable[..., None]:
    """As :func:`shows`, for a command whose own ``-w`` means something else than ``--watch``."""
    return extended(command, ROWS_WITHOUT_W, _take_rows, leave_out=frozenset({"output"}))


def tells(command: Callable[Concatenate[Output, P], None]) -> Callable[..., None]:
    """A command that does something and tells what came of it: it is given an :class:`Output`."""
    return extended(command, RESULTS, _take_results, leave_out=frozenset({"output"}))


def makes(command: Callable[Concatenate[Output, P], None]) -> Callable[..., None]:
    """A command whose ``-o`` names what it makes, as a compiler's does: of formats it has JSON."""
    return extended(command, MAKES, _take_making, leave_out=frozenset({"output"}))


def _take_making(values: Keywords) -> None:
    values["output"] = _output("", values.pop("as_json"))


def _take_results(values: Keywords) -> None:
    form = values["form"]
    output = _output(values.pop("form"), values.pop("as_json"))
    if output.columns:
        formats = ", ".join(each.value for each in Format)
        raise UsageError(text=f"-o: there is no format {form!r}", hint=f"formats: {formats}")
    values["output"] = output


def _take_rows(values: Keywords) -> None:
    values["output"] = replace(
        _output(values.pop("form"), values.pop("as_json")),
        sort=values.pop("sort"),
        headers=not values.pop("no_headers"),
        watching=values.pop("watching"),
        every_s=values.pop("every_s"),
    )


def _output(form: str, as_json: bool) -> Output:
    chosen = next((each for each in Format if each.value == form), None)
    if as_json and form and chosen is not Format.JSON:
        raise UsageError(text=f"--json and -o {form} are opposites", hint="give one of them")
    return Output(
        format=Format.JSON if as_json else chosen or Format.TABLE, columns="" if chosen else form
    )
