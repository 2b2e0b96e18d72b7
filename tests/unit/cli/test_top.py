"""`ssi top` on the command line: one frame, refusals, and what no other command has to load."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from ssi.cli import top as command
from ssi.cli.warm import NEVER_WARM
from tests.unit.cli.fake_system import CommandLine

LOADED = """
import sys
from ssi.cli.main import COMMANDS, load_command
for name in COMMANDS:
    load_command(name)
print(*sorted(name for name in sys.modules if name.partition(".")[0] in {"textual", "tui"}))
"""


def test_without_a_terminal_it_says_what_needs_none(
    command_line: Callable[[Callable[..., None]], CommandLine],
) -> None:
    status, out, err = command_line(command.top).run()
    assert (status, out) == (2, "")
    assert "ssi top needs a terminal" in err
    assert "--once" in err


def test_no_command_loads_what_draws_until_it_draws() -> None:
    run = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True)
    assert run.stdout == b"\n"


def test_it_always_has_a_process_of_its_own() -> None:
    assert "top" in NEVER_WARM
