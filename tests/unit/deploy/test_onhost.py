"""What the program on a host decides by."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nodeagent.places import places_of
from ssi.deploy.onhost import process, service
from ssi.deploy.onhost.layout import Layout, layout_of
from ssi.deploy.onhost.lock import hold
from ssi.deploy.onhost.probe import free_bytes, probe
from ssi.deploy.onhost.removal import mount_points_below
from ssi.deploy.onhost.wire import Failed, read_frame

HOME = Path("/home/ada")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(True, tmp_path / "run", tmp_path / "lib", tmp_path / "bin/ssi")


@pytest.mark.parametrize("uid", [0, 1000])
def test_the_places_are_those_of_the_agent(uid: int) -> None:
    ours, theirs = layout_of(uid, HOME), places_of(uid, HOME, {})
    assert (ours.state, ours.runtime) == (theirs.state, theirs.runtime)
    assert (ours.ready, ours.door, ours.roster) == (theirs.ready, theirs.door, theirs.roster)
    assert (ours.bundles, ours.jobs) == (theirs.bundles, theirs.job_sockets)


def test_an_agent_that_is_not_root_outlives_the_last_login() -> None:
    assert "XDG" not in str(layout_of(1000, HOME).runtime)
    assert layout_of(1000, HOME).runtime.is_relative_to(HOME)


def test_frames_are_read_whole_or_not_at_all() -> None:
    assert read_frame(io.BytesIO(b"\0\0\0\2ab")) == b"ab"
    assert read_frame(io.BytesIO(b"")) is None
    with pytest.raises(Failed):
        read_frame(io.BytesIO(b"\0\0\0\2a"))
    with pytest.raises(Failed):
        read_frame(io.BytesIO(b"\xff\xff\xff\xff"))


def test_a_lock_that_is_held_is_told_with_its_holder(tmp_path: Path) -> None:
    descriptor = hold(tmp_path / "lock", "ada, pid 1", 0.0)
    with pytest.raises(Failed) as caught:
        hold(tmp_path / "lock", "bob, pid 2", 0.0)
    assert caught.value.word == "host-busy"
    assert caught.value.fields["holder"] == "ada, pid 1"
    os.close(descriptor)
    os.close(hold(tmp_path / "lock", "bob, pid 2", 0.0))


def test_a_deployment_that_meets_itself_does_not_wait(tmp_path: Path) -> None:
    descriptor = hold(tmp_path / "lock", "ada, pid 1", 0.0)
    with pytest.raises(Failed) as caught:
        hold(tmp_path / "lock", "ada, pid 1", 60.0)
    assert caught.value.word == "host-twice"
    os.close(descriptor)


def test_the_probe_of_an_empty_host_finds_nothing_deployed(layout: Layout) -> None:
    found = probe(layout)
    assert found["deployed"] == {}
    assert found["system"] == ""
    assert found["free_bytes"] == pytest.approx(free_bytes(layout.state), rel=0.1)


def test_the_probe_reads_the_system_from_the_agents_roster(layout: Layout) -> None:
    layout.state.mkdir()
    layout.roster.write_text('["abc", 3, [], 1]')
    assert probe(layout)["system"] == "abc"
    layout.roster.write_text("not json")
    assert probe(layout)["system"] == ""


def test_the_keeper_is_started_without_a_secret(layout: Layout) -> None:
    environment = service.environment_of(layout, "abc")
    assert environment["PYTHONPATH"] == str(layout.bundles / "abc/lib")
    assert set(environment) == {
        "PATH",
        "HOME",
        "LANG",
        "PYTHONPATH",
        "SSI_RUNTIME_DIR",
        "SSI_STATE_DIR",
    }
    assert service.command_of("n1")[1:] == ["-s", "-P", "-m", "nodeagent.keeper", "--name", "n1"]


def test_the_unit_leaves_jobs_alone(layout: Layout) -> None:
    unit = service.unit_text(["/usr/bin/python3", "-m", "x y"], {"A": "b c"})
    assert "KillMode=process\n" in unit
    assert "Restart=always\n" in unit
    assert "StartLimitIntervalSec=0\n" in unit.partition("[Service]")[0]
    assert "ExecStart=/usr/bin/python3 -m 'x y'\n" in unit
    assert 'Environment="A=b c"\n' in unit


def test_the_command_is_a_program_for_everyone_and_replaced_only_if_ours(layout: Layout) -> None:
    service.write_wrapper(layout, "agent", "faces")
    text = layout.wrapper.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert f"ssi_library={layout.bundles}/faces/lib:{layout.bundles}/agent/lib\n" in text
    assert layout.wrapper.stat().st_mode & 0o777 == 0o755
    service.write_wrapper(layout, "agent", "")
    assert not layout.wrapper.exists()
    layout.wrapper.write_text("#!/bin/sh\necho mine\n")
    with pytest.raises(Failed):
        service.write_wrapper(layout, "agent", "faces")
    assert "mine" in layout.wrapper.read_text()


def test_the_command_of_a_user_knows_that_users_door(tmp_path: Path) -> None:
    layout = layout_of(1000, tmp_path / "a 'home'")
    launch = layout.bundles / "faces/lib/ssi/cli/launch.sh"
    launch.parent.mkdir(parents=True)
    launch.write_text('printf "%s|" "$SSI_DOOR" "$ssi_python" "$ssi_library" "$@"')
    service.write_wrapper(layout, "agent", "faces")
    for environment, door in (({}, str(layout.door)), ({"SSI_DOOR": "mine"}, "mine")):
        words = [str(layout.wrapper), "ps", ""]
        done = subprocess.run(words, env=environment, capture_output=True, timeout=60, check=True)
        library = f"{layout.bundles}/faces/lib:{layout.bundles}/agent/lib"
        assert done.stdout.decode() == f"{door}|{sys.executable}|{library}|ps||"
    assert "SSI_DOOR" not in service.wrapper_text(layout_of(0, HOME), "agent", "faces")


def test_only_processes_of_our_code_are_ours(layout: Layout) -> None:
    library = str(layout.bundles / "abc/lib")
    wait = "import sys; sys.stdin.read()"
    started = [
        subprocess.Popen([sys.executable, "-c", wait, library], stdin=subprocess.PIPE),
        subprocess.Popen(
            [sys.executable, "-c", wait], stdin=subprocess.PIPE, env={"PYTHONPATH": library}
        ),
        subprocess.Popen([sys.executable, "-c", wait], stdin=subprocess.PIPE),
        subprocess.Popen(["cat", "-", library], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL),
    ]
    try:
        give_up_at = time.monotonic() + 5
        wanted = {each.pid for each in started[:2]}
        found: set[int] = set()
        while found != wanted and time.monotonic() < give_up_at:  # until both have been exec'd
            found = set(process.of_bundles(layout.bundles))
        assert found == wanted
        assert process.end(found, polite_s=2.0) == []
        assert not any(process.is_alive(pid) for pid in found)
    finally:
        for each in started:
            each.kill()
            each.communicate()


def test_a_pid_file_of_a_process_that_is_gone_names_none(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    assert process.pid_in(path) == 0
    path.write_text(f"{os.getpid()} 1\n")
    assert process.pid_in(path) == 0
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    path.write_text(f"{os.getpid()} {stat[19]}\n")
    assert process.pid_in(path) == os.getpid()


def test_mounts_are_found_from_the_innermost() -> None:
    info = (
        "1 0 0:1 / /run rw - tmpfs t rw\n"
        "2 1 0:2 / /run/ssi/images rw - tmpfs t rw\n"
        "3 2 0:3 / /run/ssi/images/a\\040b rw - tmpfs t rw\n"
        "4 1 0:4 / /run/ssi2 rw - tmpfs t rw\n"
    )
    found = mount_points_below(Path("/run/ssi"), info)
    assert found == [Path("/run/ssi/images/a b"), Path("/run/ssi/images")]
