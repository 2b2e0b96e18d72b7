"""Moves that are refused or come to nothing: told by name, and the job goes on where it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nodeagent.mechanism.criu import lacks_sys_resource
from ssi.lab import Host
from tests.hosts.moving import (
    MOVED,
    assert_runs_on,
    images_of,
    on_every_node,
    who_runs_what,
)
from tests.hosts.system import Ssi, eventually, pid_of


def test_a_file_in_the_way_is_refused_by_name_and_left_alone(ssi: Ssi) -> None:
    on_every_node(ssi, "rm", "-rf", "/srv/way")
    on_every_node(ssi, "mkdir", "-p", "/srv/way")
    ssi.host("n2").run("sh", "-c", "echo precious > /srv/way/log")
    gpid = ssi.detached(
        "n1", "sh", "-c", "exec 5>/srv/way/log; while :; do echo x >&5; sleep 0.05; done"
    )
    log = Path(ssi.host("n1").root, "srv/way/log")
    eventually(lambda: log.exists() and log.stat().st_size, what="it writes")
    result = ssi("migrate", gpid, "n2")
    assert result.status == 26, result
    assert "/srv/way/log" in result.err and "n2" in result.err
    assert ssi.host("n2").run("cat", "/srv/way/log").stdout == b"precious\n"
    assert_runs_on(ssi, gpid, "n1")
    ssi.ok("kill", gpid)


def test_a_link_of_a_user_makes_root_write_nowhere_else(ssi: Ssi) -> None:
    on_every_node(ssi, "sh", "-c", "rm -rf /srv/ada; install -d -o ada /srv/ada")
    ssi.host("n1").run("mkdir", "/srv/ada/sub", user="ada")
    ssi.host("n2").run("ln", "-s", "/etc/profile.d", "/srv/ada/sub", user="ada")
    ssi.host("n3").run("mkdir", "/srv/ada/sub", user="ada")
    work = "exec 5>/srv/ada/sub/x.sh; echo echo mine >&5; sleep 300"
    command = f"exec ssi run -n n1 --detach --root local -- sh -c '{work}'"
    gpid = ssi.host("n1").run("sh", "-c", command, user="ada").stdout.decode().strip()
    eventually(lambda: ssi.job(gpid)["processes"] == 2, what="it has written")
    for words in (("--dry-run",), ()):
        result = ssi("migrate", gpid, "n2", *words)
        assert result.status == 26, result
        assert "a link of a user leads to what is not theirs" in result.err + result.out
    assert_runs_on(ssi, gpid, "n1")
    # One that is put in the place of what is on its way goes, and what it leads to stays.
    staged = f"/srv/ada/sub/.x.sh.ssi-{gpid}"
    ssi.host("n3").run("ln", "-s", "/etc/profile.d/x.sh", staged, user="ada")
    assert MOVED.match(ssi.ok("migrate", gpid, "n3"))
    for node in ("n2", "n3"):
        assert b"x.sh" not in ssi.host(node).run("ls", "/etc/profile.d").stdout
    assert ssi.host("n3").run("cat", "/srv/ada/sub/x.sh").stdout == b"echo mine\n"
    ssi.ok("kill", gpid)


def test_another_build_of_its_program_is_refused_by_name(ssi: Ssi) -> None:
    on_every_node(ssi, "cp", "/usr/bin/sleep", "/usr/local/bin/doze")
    ssi.host("n2").run("sh", "-c", "cp /usr/bin/cat /usr/local/bin/doze")
    gpid = ssi.detached("n1", "/usr/local/bin/doze", "100")
    result = ssi("migrate", gpid, "n2")
    assert result.status == 26 and "/usr/local/bin/doze" in result.err, result
    assert_runs_on(ssi, gpid, "n1")
    assert MOVED.match(ssi.ok("migrate", gpid, "n3"))
    ssi.ok("kill", gpid)


def test_a_process_of_another_user_moves_or_is_refused_before_the_job_is_touched(ssi: Ssi) -> None:
    """As master and workers of a server: CRIU needs a power for it that not every root has."""
    as_ada = "setpriv --reuid ada --regid ada --init-groups sleep 300"
    gpid = ssi.detached("n1", "sh", "-c", f"{as_ada}; true")
    eventually(lambda: ("ada", "sleep") in who_runs_what(ssi, gpid), what="it runs as ada")
    if not lacks_sys_resource(Path("/proc/self/status").read_text()):
        assert MOVED.match(ssi.ok("migrate", gpid, "n2"))
    else:
        for words in (("--dry-run",), ()):
            result = ssi("migrate", gpid, "n2", *words)
            assert result.status == 26, result
            assert "(sleep) runs as ada, and the job as root" in result.err + result.out
            assert "CAP_SYS_RESOURCE, which it lacks on n1" in result.err + result.out
        assert_runs_on(ssi, gpid, "n1")
    ssi.ok("kill", gpid)


def put_criu(host: Host, program: str) -> None:
    """That is CRIU there; the real one, which an earlier move may still use, is beside it."""
    command = (
        "cp -p /usr/sbin/criu /usr/sbin/criu.kept && cat > /usr/sbin/criu.new"
        " && chmod 755 /usr/sbin/criu.new && mv /usr/sbin/criu.new /usr/sbin/criu"
    )
    run = host.run("sh", "-c", command, input=program.encode())
    assert run.returncode == 0, run


def test_a_restore_that_fails_lets_it_run_on_at_the_source(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done")
    criu = Path(ssi.host("n2").root, "usr/sbin/criu")
    kept = criu.read_bytes()
    wrapper = (
        '#!/bin/sh\nfor a; do [ "$a" = swrk ] && exit 1; done\nexec /usr/sbin/criu.kept "$@"\n'
    )
    host = ssi.host("n2")
    put_criu(host, wrapper)
    try:
        result = ssi("migrate", gpid, "n2")
        assert result.status == 27, result
        assert "cannot be restored: criu ended with status 1; it runs on at n1" in result.err
        assert_runs_on(ssi, gpid, "n1")
    finally:
        host.run("sh", "-c", "mv /usr/sbin/criu.kept /usr/sbin/criu")
    assert hashlib.sha256(criu.read_bytes()).digest() == hashlib.sha256(kept).digest()
    assert images_of(ssi, gpid) == [], "nothing is left of the try"
    assert MOVED.match(ssi.ok("migrate", gpid, "n2"))
    ssi.ok("kill", gpid)
    ssi("wait", gpid)
    lines = [int(line) for line in ssi.ok("logs", gpid).split()]
    assert lines == list(range(1, len(lines) + 1))


DYING_CRIU = """#!/usr/bin/python3
import os, signal, socket, sys
if "swrk" not in sys.argv:
    os.execv("/usr/sbin/criu.kept", sys.argv)
socket.socket(fileno=int(sys.argv[sys.argv.index("swrk") + 1])).recv(65536)
os.kill(int(open("/tmp/victim").read()), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_ends_with_a_killed_criu_is_told_of(ssi: Ssi) -> None:
    host = ssi.host("n1")
    work = "sleep 300 & echo $! > /tmp/new; mv /tmp/new /tmp/victim; sleep 301 & wait; wait"
    gpid = ssi.detached("n1", "sh", "-c", work)
    eventually(lambda: Path(host.root, "tmp/victim").exists(), what="its children run")
    victim = Path(host.root, "tmp/victim").read_text().strip()
    put_criu(host, DYING_CRIU)
    try:
        result = ssi("migrate", gpid, "n2")
        assert result.status == 27, result
        assert f"of its processes these ended with it: {victim} (sleep)" in result.err
        assert "it runs on at n1" in result.err
        assert_runs_on(ssi, gpid, "n1")
    finally:
        host.run("sh", "-c", "mv /usr/sbin/criu.kept /usr/sbin/criu; rm /tmp/victim")
    assert MOVED.match(ssi.ok("migrate", gpid, "n2"))
    ssi.ok("kill", gpid)


def test_what_ssi_did_not_start_and_where_it_is_already_are_refused(ssi: Ssi) -> None:
    agent = str(10_000_000 + pid_of(ssi.host("n1"), "agent"))
    result = ssi("migrate", agent, "n2")
    assert result.status == 35 and "a part of ssi itself" in result.err
    gpid = ssi.detached("n1", "sleep", "100")
    result = ssi("migrate", gpid, "n1")
    assert result.status == 26 and "on n1 already" in result.err
    assert ssi("migrate", gpid, "n9").status == 2
    ssi.ok("kill", gpid)
