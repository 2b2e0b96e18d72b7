"""Hosts that nothing was deployed to before a test, and nothing is after it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ssi.lab import Host, Lab
from tests.hosts.system import Ssi


@pytest.fixture
def ssi(lab: Lab, tmp_path: Path) -> Iterator[Ssi]:
    """A user of this machine, and hosts that nothing was ever deployed to."""
    system = Ssi(lab, tmp_path / "config")
    yield system
    result = system("down", "n1..n3", "--force", "--forget")
    assert result.status == 0, result


@pytest.fixture
def n1(lab: Lab) -> Host:
    return lab.host("n1")


@pytest.fixture
def ssh_home(ssi: Ssi, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Gives ssh a configuration of the test's own, by a program of that name in front of it."""

    def make(text: str) -> dict[str, str]:
        config, folder = tmp_path / "ssh_config", tmp_path / "bin"
        shared = ssi.lab.ssh_config.read_text()
        config.write_text(f"{text}\n{shared}")
        folder.mkdir(exist_ok=True)
        program = folder / "ssh"
        program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {shlex.quote(str(config))} "$@"\n')
        program.chmod(0o755)
        return {**ssi.environment, "PATH": f"{folder}:{os.environ['PATH']}", "SSI_LAB": "none"}

    return make
