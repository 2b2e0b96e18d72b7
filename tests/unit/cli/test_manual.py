"""The manual: what is checked in, what `ssi man` shows, and that its examples can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from docs import generate_troubleshooting
from docs.generate_verbs import MAN, VERBS, wanted
from ssi.cli.main import carry_out, tree
from ssi.cli.manual import markdown, roff
from ssi.cli.manual.command import place
from ssi.cli.manual.page import SOURCE, Page, Section, Term, pages_of
from ssi.cli.outcome import ended
from ssi.version import VERSION

DOCS = VERBS.parent


def run(*words: str) -> int:
    return ended(lambda: carry_out(tree(), ("man", *words)))


def read(words: list[str]) -> None:
    """Reads a command line down to its last word, and does nothing of it."""
    command: Any = tree()
    context = command.make_context("ssi", words)
    while rest := [*context._protected_args, *context.args]:
        if not hasattr(command, "commands"):
            raise AssertionError(f"{words}: nobody takes {rest}")
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def test_pages_are_those_of_the_tree_of_commands() -> None:
    files = wanted()
    there = {path for folder in (VERBS, MAN) for path in folder.iterdir()}
    assert there == files.keys(), "run: ./dev docs"
    for path, text in files.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run ./dev docs"


def test_troubleshooting_is_what_explain_tells() -> None:
    told = generate_troubleshooting.TARGET.read_text(encoding="utf-8")
    assert told == generate_troubleshooting.render(), "run: ./dev docs"


def test_every_verb_has_a_page_and_every_example_can_be_typed() -> None:
    pages = pages_of(tree())
    names = [page.name for page in pages]
    assert names[0] == "ssi"
    assert {"ssi run", "ssi lab", "ssi man"} < set(names)
    assert "ssi __complete" not in names
    examples = [each.name for page in pages for each in page.examples]
    assert len(examples) > 60
    for line in examples:
        parts = [shlex.split(part) for part in re.split(r" [|>] ", line)]
        ours = [words[1:] for words in parts if words[0] == "ssi"]
        assert len(ours) == 1, line
        read(ours[0])


def test_what_a_page_points_at_is_there() -> None:
    pages = pages_of(tree())
    verbs = {page.name.removeprefix("ssi ") for page in pages}
    for page in pages:
        assert set(page.see) <= verbs, page.name
        for document in page.documents:
            assert (DOCS / document).is_file(), f"{page.name}: {document}"
    assert set(markdown_links()) <= {path.name for path in VERBS.iterdir()}
    told = {line[1:-1] for line in SOURCE.read_text().splitlines() if line.startswith("[")}
    assert {each.removesuffix(".examples") for each in told} <= verbs


def markdown_links() -> list[str]:
    text = (VERBS / "README.md").read_text(encoding="utf-8")
    return [part.partition(")")[0] for part in text.split("](")[1:]]


def test_page_says_what_the_help_says() -> None:
    page = next(each for each in pages_of(tree()) if each.name == "ssi migrate")
    assert page.usage == "ssi migrate [OPTIONS] {JOB... NODE}"
    terms = {term.name: term.meaning for section in page.sections for term in section.terms}
    assert terms["--dry-run"] == "Only tell what stands in the way: 26 if anything."
    assert "--timeout SECONDS" in terms
    lab = next(each for each in pages_of(tree()) if each.name == "ssi lab")
    assert "ssi lab up" in [each.name for each in lab.parts]


HOSTILE = Page(
    name="ssi x",
    usage="ssi x 'a' | \\b",
    about=("'Quotes' and `code|bar` and *stars* \\ here.",),
    sections=(Section(title="Words", terms=(Term(name="A|B", meaning=".TH not a macro"),)),),
    examples=(),
    see=("y",),
    documents=(),
    parts=(),
)


def test_roff_takes_nothing_of_a_text_for_its_own() -> None:
    text = roff.render(HOSTILE)
    assert f'.TH SSI-X 1 "" "ssi {VERSION}" "ssi"\n' in text
    assert "\n\\&.TH not a macro\n" in text
    assert "\\(aqQuotes\\(aq and \\fBcode|bar\\fR and *stars* \\e here" in text
    macros = {line.split()[0] for line in text.splitlines() if line[:1] in {".", "'"}}
    assert macros <= {'.\\"', ".TH", ".SH", ".PP", ".nf", ".RS", ".RE", ".fi", ".TP"}


def test_markdown_takes_nothing_of_a_text_for_its_own() -> None:
    text = markdown.render(HOSTILE)
    assert "| `A\\|B` | .TH not a macro |\n" in text
    assert "`code\\|bar` and \\*stars\\* \\\\ here" in text
    assert "[ssi y](y.md)" in text


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing in it, and a home of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return folder


def test_man_shows_the_page_by_man_and_without_it_its_source(
    programs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = (MAN / "ssi-lab.1").read_text(encoding="utf-8")
    assert run("lab", "up") == 0
    told = capfd.readouterr()
    assert told.out == source
    assert "man-db" in told.err
    assert run("--roff", "ssi-lab") == 0
    assert capfd.readouterr().out == source
    shown = programs / "man"
    shown.write_text('#!/bin/sh\n[ "$1" = -l ] && read -r line <"$2" && echo "$line"\nexit 3\n')
    shown.chmod(0o755)
    assert run("lab") == 3
    assert capfd.readouterr().out == source.splitlines()[0] + "\n"
    assert run("nonsense") == 2
    assert run("--install", "lab") == 2


@pytest.mark.usefixtures("programs")
def test_install_writes_all_pages_once_and_leaves_what_is_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--install") == 0
    folder = place()
    pages = {path.name: path.read_bytes() for path in MAN.iterdir()}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == pages
    assert f"{len(pages)} of {len(pages)} pages written" in capsys.readouterr().out
    others = folder / "ssimilar.1"
    others.write_text(".TH SSIMILAR 1\n")
    (folder / "ssi-gone.1").write_bytes(pages["ssi-run.1"])
    assert run("--install") == 0
    assert f"0 of {len(pages)} pages written, 1 removed" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {*pages, others.name}
