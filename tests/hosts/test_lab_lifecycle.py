"""A lab comes up whole, twice is harmless, and nothing of it is left: also after any crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ssi.lab import Lab, network
from ssi.lab.cgroup import hierarchy
from ssi.lab.errors import LabBootError, LabConflictError, LabUnknownError
from ssi.lab.process import namespace_pids
from ssi.lab.state import folder_of
from tests.hosts.system import COMMAND_TIMEOUT_S, eventually

DIE_IN = """
import os, signal, sys
import ssi.lab.lab, ssi.lab.boot, ssi.lab.identity
from ssi.lab import Lab

def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

module, _, function = sys.argv[1].rpartition(".")
assert callable(getattr(sys.modules[module], function))
setattr(sys.modules[module], function, die)
Lab.up(name=sys.argv[2], size=3)
"""

CRASH_POINTS = (
    "ssi.lab.network.ensure_bridge",  # only the blueprint is on disk
    "ssi.lab.identity._authorize",  # half of a host's first files
    "ssi.lab.lab.boot",  # no process yet
    "ssi.lab.boot._wait_ready",  # hosts are mounting their roots
    "ssi.lab.network.plug_in",  # hosts wait for their cables
    "ssi.lab.boot._wait_sshd",  # hosts have been told to go
)


def processes_of(name: str) -> set[int]:
    """The living ones; the machine's own init takes away the dead in its own time."""
    found = set()
    for listing in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            text = listing.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        pid = int(listing.parent.name)
        if f"/ssi-lab/{name}/" in text and namespace_pids(pid):
            found.add(pid)
    return found


def namespaces_outside_other_labs(name: str) -> set[str]:
    """Those that living processes hold. A lab that comes up meanwhile may get the same numbers."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            cgroup = (folder / "cgroup").read_text()
            held = {os.readlink(link) for link in (folder / "ns").iterdir()}
        except OSError:
            continue
        of_another_lab = "/ssi-lab/" in cgroup and f"/ssi-lab/{name}/" not in cgroup
        if namespace_pids(int(folder.name)) and not of_another_lab:
            found |= held
    return found


def assert_nothing_left(name: str) -> None:
    cgroups = hierarchy()
    assert cgroups is not None
    assert processes_of(name) == set()
    assert network.links_of(f"ssi-{name}") == {}
    assert not (cgroups / "ssi-lab" / name).exists()
    assert not folder_of(name).exists()
    assert name not in Path("/proc/self/mountinfo").read_text()
    assert name not in Lab.names()


def own_namespaces(lab: Lab) -> set[str]:
    return {
        os.readlink(f"/proc/{host.pid}/ns/{kind}")
        for host in lab.hosts
        for kind in ("mnt", "pid", "net", "uts", "ipc", "cgroup")
    }


def test_down_leaves_no_process_mount_interface_namespace_cgroup_or_file(spare_name: str) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    lab = Lab.up(name=spare_name, size=2)
    assert Path("/proc/self/mountinfo").read_text() == mounts
    spaces = own_namespaces(lab)
    assert len(spaces) == 12
    assert spaces <= namespaces_outside_other_labs(spare_name)
    lab.host("n1").pause()
    lab.host("n2").cut()
    lab.down()
    lab.down()
    assert_nothing_left(spare_name)
    # Their numbers are given again at once; who enters another lab's hosts is in none for a moment.
    eventually(
        lambda: not spaces & namespaces_outside_other_labs(spare_name), what="no namespace is left"
    )


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_down_removes_what_a_crash_half_way_left(spare_name: str, point: str) -> None:
    crash(spare_name, point)
    Lab.remove(spare_name)
    assert_nothing_left(spare_name)


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_up_completes_what_a_crash_half_way_left(spare_name: str, point: str) -> None:
    crash(spare_name, point)
    lab = Lab.up(name=spare_name, size=3)
    for host in lab.hosts:
        assert host.run("hostname").stdout.decode().strip() == host.name


def crash(name: str, point: str) -> None:
    Lab.remove(name)
    died = subprocess.run(
        [sys.executable, "-c", DIE_IN, point, name], timeout=COMMAND_TIMEOUT_S, check=False
    )
    assert died.returncode == -signal.SIGKILL
    assert name in Lab.names()


def test_up_twice_leaves_running_hosts_alone(spare_name: str) -> None:
    before = {host.name: host.pid for host in Lab.up(name=spare_name, size=2).hosts}
    after = {host.name: host.pid for host in Lab.up(name=spare_name, size=1).hosts}
    assert after == before


def test_a_lab_grows_and_all_hosts_learn_of_the_new_ones(spare_name: str) -> None:
    Lab.up(name=spare_name, size=1)
    lab = Lab.up(name=spare_name, size=3)
    done = lab.host("n1").run("ssh", "-o", "BatchMode=yes", "n3", "hostname")
    assert done.stdout == b"n3\n", done.stderr


def test_two_labs_live_side_by_side(lab: Lab, spare_name: str) -> None:
    other = Lab.up(name=spare_name, size=1)
    assert other.blueprint.subnet != lab.blueprint.subnet
    assert {lab.name, spare_name} <= set(Lab.names())
    other.down()
    assert all(host.run("true").returncode == 0 for host in lab.hosts)


def test_a_lab_can_be_found_by_another_process_and_is_unknown_once_it_is_gone(
    spare_name: str,
) -> None:
    assert Lab.find(spare_name) is None
    Lab.up(name=spare_name, size=1)
    find = f"from ssi.lab import Lab; print(Lab.get({spare_name!r}).host('n1').pid)"
    found = subprocess.run([sys.executable, "-c", find], capture_output=True, check=True)
    assert int(found.stdout) == Lab.get(spare_name).host("n1").pid
    Lab.remove(spare_name)
    with pytest.raises(LabUnknownError, match=spare_name):
        Lab.get(spare_name)


def test_a_lab_on_a_chosen_subnet_keeps_it(spare_name: str) -> None:
    lab = Lab.up(name=spare_name, size=1, subnet="10.98.77.0/24")
    assert lab.host("n1").address == "10.98.77.11"
    with pytest.raises(LabConflictError, match=r"is up on 10\.98\.77\.0/24"):
        Lab.up(name=spare_name, size=1, subnet="10.98.78.0/24")


def test_a_subnet_of_another_lab_is_refused_and_leaves_nothing(lab: Lab, spare_name: str) -> None:
    with pytest.raises(LabConflictError, match="overlaps"):
        Lab.up(name=spare_name, size=1, subnet=str(lab.blueprint.subnet))
    assert_nothing_left(spare_name)


def test_a_deleted_bridge_or_cable_is_repaired_by_up(spare_name: str) -> None:
    lab = Lab.up(name=spare_name, size=2)
    first = lab.host("n1").pid
    network.remove(lab.blueprint.bridge, [lab.blueprint.bridge, lab.blueprint.port("n2")])
    lab = Lab.up(name=spare_name, size=2)
    assert lab.host("n1").pid == first
    assert lab.host("n1").run("ssh", "-o", "BatchMode=yes", "n2", "hostname").stdout == b"n2\n"


def test_a_host_that_cannot_boot_is_named_with_its_reason(
    spare_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ssi.lab.lab.ensure_image", nothing_in(tmp_path))
    with pytest.raises(LabBootError, match="host n1 of the lab"):
        Lab.up(name=spare_name, size=1)
    Lab.remove(spare_name)
    assert_nothing_left(spare_name)


def nothing_in(folder: Path) -> Callable[[object], Path]:
    """An image without a single file."""
    return lambda _progress: folder


def test_a_lab_survives_the_end_of_the_command_and_of_its_terminal(spare_name: str) -> None:
    command = f"from ssi.lab import Lab; Lab.up({spare_name!r}, 1)"
    subprocess.run(
        ["setsid", "--wait", sys.executable, "-c", command], check=True, timeout=COMMAND_TIMEOUT_S
    )
    assert Lab.get(spare_name).host("n1").run("true").returncode == 0
