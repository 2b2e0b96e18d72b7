"""What tests of moves look at: the jobs, their processes, and what a move has told."""

from __future__ import annotations

import re

from tests.hosts.system import Ssi, eventually

MOVED = re.compile(
    r"(?P<gpid>\d+) (?P<source>n\d) -> (?P<destination>n\d): (?P<total>\d+) ms in all, "
    r"frozen for (?P<frozen>\d+) ms, image \S+"
)


def on_every_node(ssi: Ssi, *argv: str) -> None:
    for host in ssi.lab.hosts:
        run = host.run(*argv)
        assert run.returncode == 0, run


def processes_of(ssi: Ssi, gpid: str) -> dict[str, dict[str, object]]:
    return {str(row["gpid"]): row for row in ssi.json("ps", "--jobs") if str(row["job"]) == gpid}


def running(ssi: Ssi, program: str) -> str:
    """The gpid of the job that runs a program, once there is one."""

    def found() -> list[str]:
        rows = ssi.json("jobs")
        return [
            str(row["gpid"])
            for row in rows
            if row["args"][0] == program and row["state"] == "running"
        ]

    eventually(found, what=f"{program} runs")
    return found()[0]


def assert_runs_on(ssi: Ssi, gpid: str, node: str) -> None:
    row = ssi.job(gpid)
    assert (row["state"], row["node"]) == ("running", node)
    assert gpid in processes_of(ssi, gpid)


def images_of(ssi: Ssi, gpid: str) -> list[str]:
    """What any node holds of a job to move it: nothing, once no move of it is open."""
    return [
        f"{host.name}:{name}"
        for host in ssi.lab.hosts
        for name in host.run("ls", "-A", "/run/ssi/images").stdout.decode().split()
        if name.startswith(f"{gpid}-")
    ]


def who_runs_what(ssi: Ssi, gpid: str) -> set[tuple[object, object]]:
    """User and program of each process: the words of a command line tell neither."""
    return {(row["user"], row["name"]) for row in processes_of(ssi, gpid).values()}


def rss(ssi: Ssi, gpid: str) -> int:
    rows = processes_of(ssi, gpid)
    return int(str(rows[gpid]["rss_bytes"])) if gpid in rows else 0
