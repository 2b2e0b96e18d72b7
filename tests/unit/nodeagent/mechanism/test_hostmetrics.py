"""Readings of a machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nodeagent.mechanism import hostmetrics
from nodeagent.mechanism.hostmetrics import (
    CriuProbe,
    HostMetrics,
    lacking_verbs,
    parse_criu_version,
)


def make_criu(folder: Path, version: str) -> Path:
    program = folder / "criu"
    program.write_text(f"#!/bin/sh\necho run >> {folder}/runs\necho 'Version: {version}'\n")
    program.chmod(0o755)
    return program


def test_reading_agrees_with_the_kernel() -> None:
    reading = HostMetrics().read(jobs=3)
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert reading.memory_total_bytes == int(meminfo["MemTotal"].split()[0]) * 1024
    assert 0 < reading.memory_available_bytes <= reading.memory_total_bytes
    assert 0 <= reading.swap_free_bytes <= reading.swap_total_bytes
    assert 0 <= reading.disk_free_bytes <= reading.disk_total_bytes
    assert reading.cores == os.cpu_count()
    assert abs(reading.taken_at_s - time.time()) < 60
    assert reading.uptime_s == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=60)
    assert reading.processes >= 1
    assert reading.jobs == 3
    assert (reading.kernel, reading.arch) == (os.uname().release, os.uname().machine)


def test_psutil_is_not_imported_before_the_first_reading() -> None:
    check = "import sys, nodeagent.mechanism.hostmetrics; sys.exit('psutil' in sys.modules)"
    root = Path(hostmetrics.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", check], cwd=root, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("is_root", "criu", "lacks"),
    [
        (True, "4.2.1", ()),
        (True, "", ("migrate: no criu",)),
        (False, "4.2.1", ("migrate: the agent does not run as root",)),
    ],
)
def test_lacking_verbs_carry_their_reason(is_root: bool, criu: str, lacks: tuple[str, ...]) -> None:
    assert lacking_verbs(is_root=is_root, criu=criu) == lacks


@pytest.mark.parametrize(
    ("output", "version"),
    [("Version: 4.2.1\n", "4.2.1"), ("Version: 4.1\nGitID: v4.1-x\n", "4.1"), ("what?", "")],
)
def test_criu_version_is_found_in_its_output(output: str, version: str) -> None:
    assert parse_criu_version(output) == version


def test_criu_is_asked_once_and_again_when_it_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program = make_criu(tmp_path, "4.1")
    probe = CriuProbe()
    assert [probe.version(), probe.version()] == ["4.1", "4.1"]
    assert (tmp_path / "runs").read_text() == "run\n"
    make_criu(tmp_path, "4.2.1")
    os.utime(program, ns=(1, 1))
    assert probe.version() == "4.2.1"


def test_missing_criu_has_no_version() -> None:
    assert CriuProbe("no-such-criu").version() == ""


def test_criu_that_does_not_run_has_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "criu"
    program.write_bytes(b"\x7fELF of some other machine")
    program.chmod(0o755)
    assert CriuProbe().version() == ""


class FakeNvml(SimpleNamespace):
    """The few calls of nvidia-ml-py that are made, with a switch to let them fail."""

    class NVMLError(Exception):
        pass

    broken = False

    def nvmlInit(self) -> None:  # noqa: N802 - the library's name
        return

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        if self.broken:
            raise self.NVMLError("GPU is lost")
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, _handle: int) -> bytes:  # noqa: N802
        return b"NVIDIA A100"

    def nvmlDeviceGetMemoryInfo(self, _handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=1 << 30, total=40 << 30)

    def nvmlDeviceGetUtilizationRates(self, _handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=37)


def test_gpus_are_read_through_their_library_until_it_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", library)
    metrics = HostMetrics()
    (gpu,) = metrics.read().gpus
    assert (gpu.name, gpu.utilisation_percent) == ("NVIDIA A100", 37.0)
    assert (gpu.memory_used_bytes, gpu.memory_total_bytes) == (1 << 30, 40 << 30)
    library.broken = True
    assert metrics.read().gpus == ()
    library.broken = False
    assert metrics.read().gpus == ()
