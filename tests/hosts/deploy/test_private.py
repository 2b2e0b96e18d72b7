"""What a deployment keeps to itself."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

from ssi.lab import Host
from tests.hosts.deploy.host import STATE, out_of
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi


def test_no_secret_is_ever_on_a_command_line_or_in_an_environment(ssi: Ssi, n1: Host) -> None:
    watch = (
        "import glob,sys,time\nend=time.time()+200\nseen=set()\n"
        "while time.time()<end and not glob.glob('/run/stop-watching'):\n"
        " for p in glob.glob('/proc/[0-9]*/cmdline')+glob.glob('/proc/[0-9]*/environ'):\n"
        "  try: seen.add(open(p,'rb').read())\n"
        "  except OSError: pass\n"
        "sys.stdout.buffer.write(b'\\n'.join(seen))"
    )
    watcher = subprocess.Popen(n1.ssh_command("python3", "-c", watch), stdout=subprocess.PIPE)
    try:
        ssi.ok("up", "n1")
        ssi.ok("up", "n1")
    finally:
        n1.run("touch", "/run/stop-watching")
        seen, _ = watcher.communicate(timeout=COMMAND_TIMEOUT_S)
        n1.run("rm", "/run/stop-watching")
    assert b"nodeagent.keeper" in seen
    secrets = [
        Path(n1.root, "var/lib/ssi/node.key").read_bytes().split()[1],
        (ssi.config / "client.key").read_bytes().split()[1],
    ]
    assert not [secret for secret in secrets if secret in seen]
    logs = out_of(n1, f"cat {STATE}/*.log").encode()
    assert not [secret for secret in secrets if secret in logs]


def test_private_files_are_private_whatever_the_umask(ssi: Ssi, n1: Host) -> None:
    out_of(n1, "cp /root/.bashrc /root/.bashrc.kept 2>/dev/null; echo umask 000 >> /root/.bashrc")
    old = os.umask(0)
    try:
        ssi.ok("up", "n1")
    finally:
        os.umask(old)
        out_of(n1, "rm /root/.bashrc; mv /root/.bashrc.kept /root/.bashrc 2>/dev/null; true")
    loose = f"find {STATE} /run/ssi -perm /077 ! -path '{STATE}/bundles*' ! -type l"
    assert set(out_of(n1, loose).split()) <= {
        STATE,
        "/run/ssi",
        "/run/ssi/door.sock",
        "/run/ssi/agent.pid",
        "/run/ssi/keeper.pid",
        "/run/ssi/files.pid",
    }
    assert out_of(n1, f"find {STATE} /run/ssi /usr/local/bin/ssi -perm /022 ! -type s") == ""
    assert out_of(n1, f"stat -c %a {STATE} {STATE}/node.key").split() == ["711", "600"]
    for path in ssi.config.rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
