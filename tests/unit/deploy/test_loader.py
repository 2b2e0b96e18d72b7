"""The first words to a host's Python."""

from __future__ import annotations

import ast
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from ssi.deploy import loader, onhost


def run(code: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )


def as_python(version: tuple[int, int]) -> str:
    return f"import sys; sys.version_info = {(*version, 0)!r}\n{loader.LOADER}"


def test_an_old_python_says_that_it_is_too_old() -> None:
    done = run(as_python((3, 6)), PATH="/nowhere")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "event": "failed",
        "word": "python-too-old",
        "fields": {"found": "3.6", "needed": "3.11"},
    }


def test_an_old_python_hands_over_to_a_newer_one_beside_it(tmp_path: Path) -> None:
    newer = tmp_path / "python3.12"
    newer.write_text('#!/bin/sh\necho "newer $1 $2 $3"\n')
    newer.chmod(0o755)
    done = run(as_python((3, 6)), PATH=f"{tmp_path}:/usr/bin:/bin")
    assert done.stdout == b"newer -I -S -c\n"


def test_a_newer_python_that_lies_is_asked_once() -> None:
    done = run(as_python((3, 6)), PATH=str(Path(sys.executable).parent), SSI_FOUND="/usr/bin/x")
    assert json.loads(done.stdout)["word"] == "python-too-old"


def test_the_loader_is_text_that_the_oldest_python_3_can_read() -> None:
    ast.parse(loader.LOADER, feature_version=(3, 4))


def test_the_command_line_is_one_line_for_any_shell() -> None:
    command = loader.command()
    assert "\n" not in command
    assert "!" not in command
    words = shlex.split(command)
    assert words[:5] == ["exec", "python3", "-I", "-S", "-c"]
    compile(words[5], "loader", "exec")


def test_the_program_runs_on_nothing_but_the_standard_library() -> None:
    program = loader.program()
    done = run(shlex.split(loader.command())[5], len(program).to_bytes(4, "big") + program)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["event"] == "probed"
    assert told["python"][:2] == list(sys.version_info[:2])


def test_every_module_of_the_program_is_sent() -> None:
    folder = Path(onhost.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} == {"__init__", *onhost.MODULES}
