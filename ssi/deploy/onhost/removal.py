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
"""Below this directory of a cgroup hierarchy lie those of the jobs."""


def remove(layout: Layout) -> list[str]:
    """Removes everything, jobs too; the lock is ours and goes last. What is left, by name."""
    launch.stop(layout)
    process.end(process.of_bundles(layout.bundles, layout.wrapper), polite_s=2.0)
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
    left = [f"process {pid}" for pid in process.of_bundles(layout.bundles, layout.wrapper)]
    for folder in (layout.state, layout.runtime):
        if folder.exists() and (not folder.is_mount() or any(folder.iterdir())):
            left.append(str(folder))
    if service.is_ours(layout.wrapper):
        left.append(str(layout.wrapper))
    if layout.is_root and UNIT_FILE.exists():
        left.append(str(UNIT_FILE))
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


def _remove_cgroups() -> None:
    """Removes the empty cgroups of jobs, innermost first; one that is in use stays."""
    roots = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*/")]
    for root in roots:
        top = root / CGROUP
        if top.is_dir():
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(folder)  # noqa: PTH106 - os.walk gives texts
                except OSError:
                    break  # it has processes that are none of ours
