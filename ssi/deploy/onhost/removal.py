"""Takes ssi off a host: no process, mount, or file of it remains."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from ssi.deploy.onhost import launch, process, service
from ssi.deploy.onhost.layout import UNIT_FILE, Layout

CGROUP = "ssi"
"""The agent's name for the directory that holds the cgroups of its jobs."""


def remove(layout: Layout) -> list[str]:
    """Removes everything, jobs too; the lock is ours and goes last. What is left, by name."""
    if layout.runtime.is_dir():
        (layout.runtime / "down").touch()  # by which the agent knows that it leaves for good
    launch.stop(layout)
    if layout.is_root:
        _kill_cgroups()
    process.end(process.of_bundles(layout.bundles), polite_s=2.0)
    if UNIT_FILE.exists() and layout.is_root:
        if service.uses_systemd(layout):
            service.systemctl("disable", "--quiet", UNIT_FILE.name)
        UNIT_FILE.unlink()
        if service.uses_systemd(layout):
            service.systemctl("daemon-reload")
    if service.is_ours(layout.wrapper):
        layout.wrapper.unlink()
    for folder in (layout.state, layout.runtime):
        _unmount_below(folder)
        _remove_tree(folder)
    if layout.is_root:
        _remove_cgroups()
    return left_over(layout)


def left_over(layout: Layout) -> list[str]:
    """What of ssi is still on the host."""
    left = [f"process {pid}" for pid in process.of_bundles(layout.bundles)]
    for folder in (layout.state, layout.runtime):
        if folder.exists() and (not folder.is_mount() or any(folder.iterdir())):
            left.append(str(folder))
    if service.is_ours(layout.wrapper):
        left.append(str(layout.wrapper))
    if layout.is_root:
        left += [str(path) for path in (UNIT_FILE, *_job_cgroups()) if path.exists()]
    return left


def mount_points_below(folder: Path, mountinfo: str) -> list[Path]:
    """The mounts beneath a folder, the innermost first. Source: proc_pid_mountinfo(5)."""
    points = [Path(line.split()[4].replace("\\040", " ")) for line in mountinfo.splitlines()]
    below = [point for point in points if folder in point.parents]
    return sorted(below, key=lambda point: len(point.parts), reverse=True)


def _unmount_below(folder: Path) -> None:
    for point in mount_points_below(folder, Path("/proc/self/mountinfo").read_text()):
        subprocess.run(["umount", "-l", str(point)], capture_output=True, check=False, timeout=10)


def _remove_tree(folder: Path) -> None:
    """Removes it; a process that just died may write once more, so it is tried again."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.05)


def _job_cgroups() -> list[Path]:
    """Directories below which jobs have their cgroups: version 2, or the freezer of version 1."""
    hierarchies = [Path("/sys/fs/cgroup", name) for name in ("", "unified", "freezer")]
    return [folder for each in hierarchies if (folder := each / CGROUP).is_dir()]


def _kill_cgroups() -> None:
    """Whatever a job started is killed, wherever it hid. Source: the kernel's cgroup-v2.rst."""
    for folder in _job_cgroups():
        for control in folder.glob("*/cgroup.kill"):
            control.write_text("1")


def _remove_cgroups() -> None:
    """Removes the empty cgroups of jobs, innermost first."""
    for folder in _job_cgroups():
        for path, _, _ in os.walk(folder, topdown=False):
            try:
                os.rmdir(path)  # noqa: PTH106 - os.walk gives texts
            except OSError:
                break  # a process in it is still dying; left_over tells
