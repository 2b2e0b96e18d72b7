"""A person at the prompt, in front of a session that is none: keys in, lines out."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from shell.prompt.conversation import Conversation, Terminal
from shell.prompt.history import Entry, History
from shell.prompt.settings import Settings
from ssi.model.errors import UsageError
from tests.unit.shell.prompt.fake_seat import FakeSeat, falls, job

PATIENCE_S = 30
LEAVE = "\x04"
INTERRUPT = "\x03"
TAB = "\t"
UP = "\x1b[A"
PASTE = "\x1b[200~{}\x1b[201~"


class Sitting:
    """A person who has sat down.

    Attributes:
        out: What the terminal was told besides what the editor drew.
    """

    def __init__(self, seat: FakeSeat, history: Path, settings: Settings | None = None) -> None:
        self.seat = seat
        self.history = history
        self.settings = settings or Settings()
        self.out = io.StringIO()
        self.status = -1
        self.patience_s: float = PATIENCE_S  # the machine may be busy

    def types(self, keys: str) -> Sitting:
        """All at once, as fast fingers do."""

        async def story(_: Story) -> None: ...

        return self.plays(story, keys)

    def plays(self, story: Callable[[Story], Awaitable[None]], keys: str = "") -> Sitting:
        """Types as a story says, and leaves at its end."""

        async def sit() -> None:
            with create_pipe_input() as pipe:
                talk = Conversation(
                    self.seat,
                    self._ask,
                    {"ps": "Show processes."},
                    settings=self.settings,
                    history=self.history,
                    terminal=Terminal(out=self.out, term="xterm", given=(pipe, DummyOutput())),
                    patience_s=self.patience_s,
                )
                pipe.send_text(keys)
                async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
                    held = tasks.create_task(talk.hold())
                    await story(Story(talk, pipe.send_text))
                    if not keys:
                        pipe.send_text(f"{INTERRUPT}{LEAVE}{LEAVE}")
                    self.status = await held

        asyncio.run(sit())
        return self

    async def _ask(self, kind: str, word: str) -> list[tuple[str, str]]:
        return [("n1", "node"), ("n2", "node, dead")] if kind == "nodes" else []


class Story:
    def __init__(self, talk: Conversation, types: Callable[[str], None]) -> None:
        self.talk = talk
        self.types = types

    @property
    def line(self) -> str:
        return self.talk._editor._session.default_buffer.text

    @property
    def menu(self) -> list[tuple[str, str]]:
        state = self.talk._editor._session.default_buffer.complete_state
        if state is None:
            return []
        return [(each.display_text, each.display_meta_text) for each in state.completions]

    @property
    def suggestion(self) -> str:
        suggestion = self.talk._editor._session.default_buffer.suggestion
        return suggestion.text if suggestion is not None else ""

    @property
    def said(self) -> str:
        error = self.talk._editor._session.default_buffer.validation_error
        return error.message if error is not None else ""

    async def until(self, holds: Callable[[], object]) -> None:
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def test_lines_that_were_typed_ahead_are_run_one_after_another(history: Path) -> None:
    sitting = Sitting(FakeSeat(), history).types(f"true\rif x\rthen y; fi\rls 'a\rb'\r{LEAVE}")
    assert sitting.seat.lines == ["true", "if x\nthen y; fi", "ls 'a\nb'"]
    assert sitting.status == 0


def test_keys_that_a_program_did_not_read_are_the_next_lines(history: Path) -> None:
    def leaves_keys(seat: FakeSeat) -> int:
        seat.unread = "echo é\nls\rhal".encode()  # a terminal made newlines of some
        return 0

    async def story(person: Story) -> None:
        person.types("first\r")
        await person.until(lambda: person.line == "hal")
        person.types("f\r")
        await person.until(lambda: seat.lines[-1] == "half")

    seat = FakeSeat(deeds={"first": leaves_keys})
    Sitting(seat, history).plays(story)
    assert seat.lines == ["first", "echo é", "ls", "half"]


def test_keys_that_come_at_once_with_enter_are_for_the_program_that_reads(history: Path) -> None:
    def reads_a_line(seat: FakeSeat) -> int:
        read, _, seat.unread = seat.unread.partition(b"\r")
        taken.append(read)
        return 0

    taken: list[bytes] = []
    seat = FakeSeat(deeds={"cat": reads_a_line})
    Sitting(seat, history).types(f"cat\rhellö\x1b[A\rtrue\r\x1b[200~ls\x1b[201~\r{LEAVE}")
    assert taken == ["hellö\x1b[A".encode()]
    assert seat.lines == ["cat", "true", "ls"]


def test_letters_that_come_together_are_one_change(history: Path) -> None:
    long = "echo " + "é" * 5000
    sitting = Sitting(FakeSeat(), history).types(f"{long}\x7f\x7f!\x01x\r{LEAVE}")
    assert sitting.seat.lines == [f"x{long[:-2]}!"]


def test_interrupt_drops_the_line_and_the_shell_goes_on(history: Path) -> None:
    sitting = Sitting(FakeSeat(), history).types(f"rm -r{INTERRUPT}true\r{LEAVE}")
    assert sitting.seat.lines == ["true"]
    seat = FakeSeat()
    assert Sitting(seat, history).types(f"{INTERRUPT}{LEAVE}").status == 130
    assert seat.interrupts == 1  # for `$?`


def test_leaving_has_the_status_of_the_last_line_or_of_exit(history: Path) -> None:
    seat = FakeSeat(deeds={"false": lambda _: 1})
    assert Sitting(seat, history).types(f"false\r{LEAVE}").status == 1
    assert Sitting(FakeSeat(), history).types("exit\rtrue\r").status == 3


def test_stopped_jobs_are_told_once_before_one_leaves(history: Path) -> None:
    seat = FakeSeat(current=[job(1, "make"), job(2, "vi \x1b[2Jnotes", "Stopped")])
    sitting = Sitting(seat, history).types(f"{LEAVE}true\r{LEAVE}{LEAVE}")
    assert sitting.seat.lines == ["true"]
    warning = "jobs are stopped: %2 vi \\x1b[2Jnotes; ^D again leaves, and they stay\n"
    assert sitting.out.getvalue().count(warning) == 2


def test_a_terminal_that_is_gone_leaves(history: Path) -> None:
    read, write = os.pipe()
    os.close(write)
    seat = FakeSeat(current=[job(1, "vi", "Stopped")])
    talk = Sitting(seat, history)

    async def gone() -> int:
        from prompt_toolkit.input.vt100 import Vt100Input

        with os.fdopen(read) as closed:
            terminal = Terminal(out=talk.out, term="", given=(Vt100Input(closed), DummyOutput()))
            async with asyncio.timeout(PATIENCE_S):
                return await Conversation(
                    seat, talk._ask, {}, settings=Settings(), history=history, terminal=terminal
                ).hold()

    assert asyncio.run(gone()) == 0


def test_what_fails_is_one_line_and_a_prompt_follows(history: Path) -> None:
    lost = UsageError(text="n2 is \x1b[2Jlost", hint="ssi nodes")
    seat = FakeSeat(deeds={"ls": falls(lost)}, told=["node n2 was lost\x07"])
    sitting = Sitting(seat, history).types(f"ls\rtrue\r{LEAVE}")
    assert seat.lines == ["ls", "true"]
    said = sitting.out.getvalue()
    assert "node n2 was lost\\x07\n" in said
    assert "\nssi: n2 is \\x1b[2Jlost" in said.replace("\x07", "\n")


def test_titles_and_marks_frame_what_a_line_writes(history: Path) -> None:
    seat = FakeSeat(deeds={"false": lambda _: 1})
    seat.goes(cwd="/home/ada/\x1b]2;x\x07")
    said = Sitting(seat, history).types(f"false\r{LEAVE}").out.getvalue()
    prompt, work = (
        "\x1b]2;n1:~/\\x1b]2;x\\x07\x07\x1b]133;A\x07",
        "\x1b]2;n1: false\x07\x1b]133;C\x07",
    )
    assert said.index(prompt) < said.index(work) < said.index("\x1b]133;D;1\x07")


def test_history_is_kept_but_for_lines_with_a_space_before_them(history: Path) -> None:
    seat = FakeSeat(deeds={"false": lambda _: 1})
    Sitting(seat, history).types(f"false\r secret\r{LEAVE}")
    (kept,) = History(history).after(0, most=9)
    assert (kept.line, kept.node, kept.cwd, kept.status) == ("false", "n1", "/home/ada/src", 1)
    assert kept.duration_s == pytest.approx(0.1)
    assert Sitting(seat, history).types(f"{UP}\r{LEAVE}").seat.lines[-1] == "false"


def test_a_line_of_another_shell_is_there_at_the_next_prompt(history: Path) -> None:
    def other_shell(_: FakeSeat) -> int:
        History(history).add(Entry(line="from there", started_at_s=0, node="n2", cwd="/"))
        return 0

    seat = FakeSeat(deeds={"true": other_shell})

    async def story(story: Story) -> None:
        story.types("true\r")
        await story.until(lambda: seat.lines == ["true"] and story.line == "")
        story.types("fr")
        await story.until(lambda: story.suggestion == "om there")
        story.types(UP)
        await story.until(lambda: story.line == "from there")

    Sitting(seat, history).plays(story)


def test_a_damaged_history_is_one_line_and_the_shell_goes_on(history: Path) -> None:
    history.write_bytes(b"x" * 5000)

    async def story(story: Story) -> None:
        story.types("true\r")
        await story.until(lambda: seat.lines == ["true"])
        story.types("tr")
        await story.until(lambda: story.suggestion == "ue")

    seat = FakeSeat()
    sitting = Sitting(seat, history).plays(story)
    assert sitting.out.getvalue().count("lines are not kept") == 1


def test_a_history_that_breaks_later_is_one_line_too(history: Path) -> None:
    def breaks(_: FakeSeat) -> int:
        for path in history.parent.iterdir():
            path.write_bytes(b"x" * 5000)
        return 0

    sitting = Sitting(FakeSeat(deeds={"true": breaks}), history).types(f"true\rls\r{LEAVE}")
    assert sitting.seat.lines == ["true", "ls"]
    assert sitting.out.getvalue().count("lines are not kept") == 1


def test_a_paste_of_many_lines_runs_after_a_question_only(history: Path) -> None:
    async def story(story: Story) -> None:
        story.types(PASTE.format("rm a\r\nrm b\x1b\r\n"))
        await story.until(lambda: story.line == "rm a\nrm b")
        story.types("\r")
        await story.until(lambda: story.said)
        assert story.said == "2 lines, pasted: Enter runs them, ^C drops them"
        assert seat.lines == []
        story.types("\r")
        await story.until(lambda: seat.lines == ["rm a\nrm b"])
        story.types(PASTE.format("one\n"))
        await story.until(lambda: story.line == "one")
        story.types("\r")
        await story.until(lambda: seat.lines[1:] == ["one"])

    seat = FakeSeat()
    Sitting(seat, history).plays(story)


def test_a_paste_that_is_no_line_is_refused(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shell.prompt.paste.LONGEST", 1000)

    async def story(story: Story) -> None:
        story.types(PASTE.format("x" * 1001))
        await story.until(lambda: "too many" in story.said)
        assert story.line == ""

    Sitting(FakeSeat(), history).plays(story)


def test_words_are_completed_with_what_they_are(history: Path, tmp_path: Path) -> None:
    (tmp_path / "a dir").mkdir()
    seat = FakeSeat(current=[job(1, "make -j8")], directory=str(tmp_path))

    async def story(story: Story) -> None:
        for typed, completed in (
            ("@n2 cat a", "@n2 cat a\\ dir/"),
            ("cat 'a", "cat 'a dir/"),
            ("fg %", "fg %1 "),
            ("ps --fores", "ps --forest "),
            ("echo $PAT", "echo $PATH"),
            ("basenam", "basename "),
        ):
            story.types(f"{typed}{TAB}")
            await story.until(lambda wanted=completed: story.line.startswith(wanted))  # type: ignore[misc]
            story.types("\x15")
            await story.until(lambda: story.line == "")
        assert "n2" in seat.asked
        story.types(f"@{TAB}")
        await story.until(lambda: story.line == "@" and len(story.menu) == 3)
        assert ("n2", "node, dead") in story.menu
        story.types(f"{TAB}{TAB}")
        await story.until(lambda: story.line == "@n1 ")
        story.types("\r")
        await story.until(lambda: not story.menu)
        assert seat.lines == []

    Sitting(seat, history).plays(story)


def test_a_node_that_is_silent_delays_no_key(history: Path) -> None:
    seat = FakeSeat(answers=False)
    sitting = Sitting(seat, history)
    sitting.patience_s = 0.2

    async def story(story: Story) -> None:
        story.types(f"cat a{TAB}b{TAB}c")
        await story.until(lambda: story.line == "cat abc")
        story.types("\r")
        await story.until(lambda: seat.lines == ["cat abc"])

    sitting.plays(story)


def test_vi_comes_with_the_mode_of_the_session(history: Path) -> None:
    seat = FakeSeat(environment={"PATH": os.environ["PATH"], "SHELLOPTS": "vi"})

    async def story(story: Story) -> None:
        await story.until(lambda: story.talk._surroundings.mode == "vi")
        story.types("ls -x")
        await story.until(lambda: story.line == "ls -x")
        story.types("\x1b")
        await story.until(
            lambda: story.talk._editor._session.app.vi_state.input_mode == "vi-navigation"
        )
        story.types("0dw")
        await story.until(lambda: story.line == "-x")
        story.types("i")

    Sitting(seat, history).plays(story)
    assert Sitting(FakeSeat(), history, Settings(editing="vi")).types(
        f"xa\x1b0xi{INTERRUPT}{LEAVE}"
    )


def test_the_editor_of_the_session_edits_and_runs_the_line(history: Path, tmp_path: Path) -> None:
    program = tmp_path / "edit"
    program.write_text('#!/bin/sh\nprintf "ls \'%s\'\\n" "$(cat "$1")" >"$1"\n')
    program.chmod(0o755)
    seat = FakeSeat(environment={"PATH": os.environ["PATH"], "EDITOR": str(program)})

    async def story(story: Story) -> None:
        await story.until(lambda: story.talk._surroundings.editor)
        story.types("two words\x18\x05")
        await story.until(lambda: seat.lines == ["ls 'two words'"])

    Sitting(seat, history).plays(story)


def test_the_branch_is_seen_without_a_wait(history: Path, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/topic/x\n")
    seat = FakeSeat(directory=str(tmp_path))

    async def story(story: Story) -> None:
        await story.until(lambda: story.talk._facts().branch == "topic/x")

    Sitting(seat, history).plays(story)
