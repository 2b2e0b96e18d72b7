"""Whether what a machine allows its processes is enough, and the command that allows more."""

from __future__ import annotations

from typing import Final

from ssi.model.examination import UNKNOWN, Finding, Limits, Verdict

OPEN_FILES_WANTED: Final = 4096
"""Each link to a node takes four, each job that is watched some more."""

INOTIFY_INSTANCES_WANTED: Final = 128
INOTIFY_WATCHES_WANTED: Final = 8192
"""What kernels give by themselves; programs that watch files fail below."""


def judge_limits(where: str, limits: Limits, *, is_root: bool) -> list[Finding]:
    """A finding for each limit that is known.

    Args:
        where: A node, or ``here``.
        limits: As the machine told.
        is_root: Whether the agent, or whoever asks from here, is root.
    """
    return [
        *_open_files(where, limits.open_files),
        *_inotify(where, limits),
        *_user_namespaces(where, limits.user_namespaces, is_root=is_root),
    ]


def _open_files(where: str, count: int) -> list[Finding]:
    if count == UNKNOWN:
        return []
    text = f"a process may have {count} files open"
    is_low = count < OPEN_FILES_WANTED
    at_home = "ulimit -Hn 65536"
    pid = "$(cut -d' ' -f1 /run/ssi/agent.pid)"
    remedy = at_home if where == "here" else f'ssh {where} "prlimit --nofile=65536 --pid {pid}"'
    return [_finding(where, "open files", text, remedy if is_low else "")]


def _inotify(where: str, limits: Limits) -> list[Finding]:
    if UNKNOWN in {limits.inotify_instances, limits.inotify_watches}:
        return []
    text = f"{limits.inotify_instances} inotify instances, {limits.inotify_watches} watches a user"
    is_low = (
        limits.inotify_instances < INOTIFY_INSTANCES_WANTED
        or limits.inotify_watches < INOTIFY_WATCHES_WANTED
    )
    settings = "fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=65536"
    return [_finding(where, "inotify", text, _at(where, f"sysctl -w {settings}") if is_low else "")]


def _user_namespaces(where: str, count: int, *, is_root: bool) -> list[Finding]:
    if count == UNKNOWN:
        return []
    if count > 0:
        return [_finding(where, "user namespaces", f"up to {count} user namespaces", "")]
    if is_root:
        text = "no user namespaces for users, which root does not need"
        return [_finding(where, "user namespaces", text, "")]
    text = "no user namespaces: without root, a job has no namespaces of its own"
    remedy = _at(where, "sysctl -w user.max_user_namespaces=15000")
    return [_finding(where, "user namespaces", text, remedy)]


def _at(where: str, command: str) -> str:
    return command if where == "here" else f"ssh {where} {command}"


def _finding(where: str, check: str, text: str, remedy: str) -> Finding:
    verdict = Verdict.WARN if remedy else Verdict.OK
    return Finding(where=where, check=check, verdict=verdict, text=text, remedy=remedy)
