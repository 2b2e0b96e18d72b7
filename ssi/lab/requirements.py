"""What a machine must have to hold a lab, and how to get what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ssi.lab.cgroup import hierarchy
from ssi.lab.command import CLEAN_ENVIRONMENT
from ssi.lab.errors import LabUnavailableError

PACKAGE_OF_PROGRAM = {
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setsid": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
}

NAMESPACES = ("--mount", "--net", "--uts", "--ipc", "--cgroup", "--pid")

NEEDED_FILESYSTEMS = ("overlay", "cgroup2", "tmpfs", "devpts", "mqueue")


def check_machine() -> None:
    """This machine can hold a lab.

    Raises:
        LabUnavailableError: It cannot; the error names all that is missing.
    """
    check_root()
    programs = missing_programs()
    if programs:
        packages = sorted({PACKAGE_OF_PROGRAM[program] for program in programs})
        raise LabUnavailableError(
            missing=[f"no {program}" for program in programs],
            remedy=f"apt-get install {' '.join(packages)}",
        )
    missing = [*missing_kernel_features(), *missing_rights()]
    if missing:
        raise LabUnavailableError(
            missing=missing,
            remedy="use a virtual machine, or a container started with --privileged",
        )


def check_root() -> None:
    """We are root.

    Raises:
        LabUnavailableError: We are not.
    """
    if os.geteuid() != 0:
        raise LabUnavailableError(
            missing=["this takes root"],
            remedy="run the same command with sudo; namespaces, mounts and cables need it",
        )


def missing_programs() -> list[str]:
    """The programs that a lab runs and this machine has not."""
    path = CLEAN_ENVIRONMENT["PATH"]
    return [program for program in PACKAGE_OF_PROGRAM if shutil.which(program, path=path) is None]


def missing_kernel_features() -> list[str]:
    """What the running kernel lacks, or does not show here."""
    known = Path("/proc/filesystems").read_text().split()
    missing = [f"the kernel has no {name}" for name in NEEDED_FILESYSTEMS if name not in known]
    if not Path("/dev/fuse").exists():
        missing.append("no /dev/fuse (try `modprobe fuse`)")
    mounted = hierarchy()
    if mounted is None:
        missing.append("cgroup v2 is not mounted")
    elif not os.access(mounted, os.W_OK):
        missing.append(f"{mounted} is read-only")
    return missing


def missing_rights() -> list[str]:
    """What root may not do here, as in a container without privileges."""
    probe = subprocess.run(
        ["unshare", *NAMESPACES, "--fork", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True,
        check=False,
        timeout=10,
        env=dict(CLEAN_ENVIRONMENT),
    )
    if probe.returncode == 0:
        return []
    return [f"no right to make namespaces and mounts ({probe.stderr.decode().strip()})"]
