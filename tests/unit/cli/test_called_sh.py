"""The command by the name `sh`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAUNCH = Path(__file__).parents[3] / "ssi/cli/launch.sh"


@pytest.mark.parametrize(("name", "posix"), [("sh", "on"), ("bash", "off")])
def test_called_sh_the_shell_is_a_posix_shell(tmp_path: Path, name: str, posix: str) -> None:
    command = tmp_path / name
    command.write_text(f"#!{sys.executable}\nimport ssi.cli.__main__\n")
    command.chmod(0o755)
    environment = {**os.environ, "SSI_CONFIG_DIR": str(tmp_path)}  # of no system
    environment.pop("POSIXLY_CORRECT", None)
    done = subprocess.run(
        [command, "-c", "set -o | grep posix"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["posix", posix]


@pytest.mark.parametrize(("name", "words"), [("sh", "--posix -c x"), ("ssi", "-c x")])
def test_a_link_called_sh_launches_a_posix_shell(tmp_path: Path, name: str, words: str) -> None:
    command = tmp_path / "command"
    command.write_text(f"#!/bin/sh\nssi_python=echo ssi_library= ssi_command=$0\n. {LAUNCH}\n")
    command.chmod(0o755)
    (tmp_path / name).symlink_to(command)
    done = subprocess.run(
        [tmp_path / name, "-c", "x"],
        env={**os.environ, "SSI_COLD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == f"-I -m ssi.cli {words}\n"
