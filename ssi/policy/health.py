"""What is wrong with a node, from the facts that it told: each finding with the cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ssi.model.client import ServedRow
from ssi.model.examination import UNKNOWN, Finding, NodeFacts, Verdict, is_criu_too_old
from ssi.model.node import NodeRow, NodeState
from ssi.policy.limits import judge_limits

OLDEST_PYTHON: Final = (3, 11)
IMAGES_WANTED_BYTES: Final = 256 * 1024 * 1024
STATE_WANTED_BYTES: Final = 64 * 1024 * 1024
PIPE_WANTED_BYTES: Final = 4 * 1024 * 1024
CLOCK_OFFSET_LIMIT_MS: Final = 1000.0
"""Times of jobs and logs are shown as their nodes tell them."""

OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL
_Outcome = tuple[Verdict, str, str]


def judge_node(name: str, facts: NodeFacts, *, ours: str) -> list[Finding]:
    """All findings on one node by itself.

    Args:
        name: Of the node.
        facts: What it told.
        ours: Version of ssi that whoever asks runs.
    """
    checks: dict[str, _Outcome] = {
        "python": _python(name, facts.python),
        "version": _version(name, facts.version, ours),
        "root": _root(name, is_root=facts.is_root),
        "criu": _criu(name, facts),
        "freezer": _freezer(name, facts.freezer),
        "live moves": _live(facts),
        "pid namespaces": _present("pid namespaces", facts.has_pid_namespaces, FAIL, ""),
        "fuse": _present("/dev/fuse", facts.has_fuse, WARN, f"ssh {name} modprobe fuse"),
        "files": _files(name, facts),
        "images": _images(name, facts),
        "disk": _disk(facts),
        "keys": _keys(name, facts.open_keys),
        "cordon": _cordon(name, cordoned=facts.cordoned),
        "shell": _shell(facts.shell_lacks, f"ssi up {name}"),
    }
    if facts.started_by:
        checks["boot"] = _boot(name, facts.started_by)
    if facts.gpus:
        checks["gpus"] = _gpus(facts.gpus)
    found = [_finding(name, check, outcome) for check, outcome in checks.items()]
    return [*found, *judge_limits(name, facts.limits, is_root=facts.is_root)]


def judge_row(row: NodeRow) -> list[Finding]:
    """What the mesh tells of a node: whether it lives, and how its clock goes."""
    if row.state is not NodeState.ALIVE:
        problem = f": {row.problem}" if row.problem else f", silent for {row.age_s:.0f} s"
        text = f"it is {row.state.value}{problem}"
        return [_finding(row.name, "agent", (FAIL, text, f"ssi up {row.name}"))]
    found = [_finding(row.name, "agent", (OK, f"alive, {row.rtt_ms or 0.0:.1f} ms away", ""))]
    offset_ms = row.clock_offset_ms
    if offset_ms is not None:
        text = f"{offset_ms:+.0f} ms from that of the node that was asked"
        error_ms = row.clock_error_ms or 0.0
        if error_ms:
            text += f", give or take {error_ms:.0f} ms"
        late = abs(offset_ms) - error_ms > CLOCK_OFFSET_LIMIT_MS
        remedy = f"ssh {row.name} timedatectl set-ntp true"
        found.append(_finding(row.name, "clock", (WARN, text, remedy) if late else (OK, text, "")))
    return found


def judge_views(views: Mapping[str, Sequence[NodeRow]]) -> list[Finding]:
    """Whether each node reaches the ports of each other: by node, the rows as it sees them."""
    found = []
    for name, rows in views.items():
        lost = [row for row in rows if row.state is not NodeState.ALIVE and row.name != name]
        for row in lost:
            reason = row.problem or f"silent for {row.age_s:.0f} s"
            text = f"it does not reach {row.name} at {row.address}: {reason}"
            found.append(_finding(name, "ports", (FAIL, text, f"ssi up {row.name}")))
        if not lost:
            text = f"it reaches all {len(rows) - 1} others" if len(rows) > 1 else "it is alone"
            found.append(_finding(name, "ports", (OK, text, "")))
    return found


def judge_criu_versions(facts: Mapping[str, NodeFacts]) -> list[Finding]:
    """Images of one CRIU are not promised to be read by another: it should be one everywhere."""
    versions = {name: each.criu for name, each in facts.items() if each.criu}
    if len(set(versions.values())) < 2:
        return []
    newest = max(versions.values(), key=_parts)
    return [
        _finding(
            name,
            "criu versions",
            (WARN, f"criu {criu}, elsewhere {newest}: jobs do not move between them",
             f"ssh {name} apt-get install criu"),
        )
        for name, criu in versions.items()
        if criu != newest
    ]  # fmt: skip


def _boot(name: str, started_by: str) -> _Outcome:
    if started_by == "systemd":
        return OK, "systemd starts the agent with the machine; its journal has the log, too", ""
    return OK, f"no unit of systemd holds the agent: after a reboot `ssi up {name}`", ""


def _gpus(kinds: Sequence[str]) -> _Outcome:
    sources = {"drm": "/proc/PID/fdinfo", "nvidia": "nvidia-smi pmon"}
    read = " and ".join(sources[kind] for kind in kinds if kind in sources)
    return OK, f"use by processes comes from {read}; this was never tried on a real GPU", ""


def _python(name: str, version: str) -> _Outcome:
    if _parts(version)[:2] < OLDEST_PYTHON:
        return FAIL, f"python {version}, older than 3.11", f"ssh {name} apt-get install python3"
    return OK, f"python {version}", ""


def _version(name: str, theirs: str, ours: str) -> _Outcome:
    if theirs != ours:
        return WARN, f"its agent is of ssi {theirs}, this is {ours}", f"ssi up {name}"
    return OK, f"ssi {theirs}", ""


def _root(name: str, *, is_root: bool) -> _Outcome:
    if is_root:
        return OK, "the agent runs as root", ""
    text = "the agent does not run as root: only its own user is served, and no job moves"
    return WARN, text, f"ssi up root@{name}"


def _criu(name: str, facts: NodeFacts) -> _Outcome:
    install = f"ssh {name} apt-get install criu"
    if not facts.criu:
        return FAIL, "criu is not installed: no job moves from or to here", install
    if is_criu_too_old(facts.criu, facts.kernel):
        text = f"criu {facts.criu} cannot carry sockets on kernel {facts.kernel}: 4.2 is needed"
        return FAIL, text, install
    return OK, f"criu {facts.criu} on kernel {facts.kernel}", ""


def _freezer(name: str, version: str) -> _Outcome:
    if version:
        return OK, f"cgroup {version}", ""
    return (
        WARN,
        "no cgroup freezer: `ssi freeze` is not served",
        f"ssh {name} mount -t cgroup2 none /sys/fs/cgroup",
    )


def _live(facts: NodeFacts) -> _Outcome:
    """Never more than a note: a plain move needs neither."""
    ways = ["stop"]
    lacking = []
    if facts.tracks_writes:
        ways.append("pre")
    else:
        lacking.append("pre: its kernel does not tell what is written to (CONFIG_MEM_SOFT_DIRTY)")
    if facts.has_userfaultfd:
        ways.append(_post(facts))
    else:
        lacking.append("post: its kernel has no userfaultfd")
    return OK, "; not ".join([f"--live {', '.join(ways)}", *lacking]), ""


def _post(facts: NodeFacts) -> str:
    """CRIU takes memory through pipes of 4 MiB, where they may be so large."""
    drawbacks = []
    pipe_bytes = facts.limits.pipe_bytes
    if UNKNOWN < pipe_bytes < PIPE_WANTED_BYTES:
        drawbacks.append(
            f"frozen for longer: root has no CAP_SYS_RESOURCE, so pipes hold {pipe_bytes} bytes"
            f" at the most; sysctl -w fs.pipe-max-size={PIPE_WANTED_BYTES}"
        )
    if facts.is_root and not facts.guards_memory:
        drawbacks.append(
            "a job may read zeros if its CRIU is killed while its memory comes: the kernel lets no"
            " process here be asked at close(2), as in a container with a filter of its own"
        )
    return f"post ({'; '.join(drawbacks)})" if drawbacks else "post"


def _present(what: str, there: bool, otherwise: Verdict, remedy: str) -> _Outcome:
    return (OK, what, "") if there else (otherwise, f"no {what}", remedy)


def _files(name: str, facts: NodeFacts) -> _Outcome:
    if facts.files_problem:
        return WARN, facts.files_problem, f"ssi up {name}"
    if facts.has_fuse and not facts.is_root and not facts.fusermount:
        text = "no fusermount3: without root, no other node's files are mounted"
        return WARN, text, f"ssh {name} apt-get install fuse3"
    others = f"{facts.mounts} other node{'' if facts.mounts == 1 else 's'}"
    return OK, f"files of {others} are mounted", ""


def _images(name: str, facts: NodeFacts) -> _Outcome:
    mib = facts.images_free_bytes // 1024 // 1024
    text = f"{mib} MiB free in {facts.images_path}"
    if not facts.images_in_memory:
        mend = f"ssh {name} mount -t tmpfs tmpfs {facts.images_path}"
        return WARN, f"{text}, which is no tmpfs: moves go over the disk", mend
    if facts.images_free_bytes < IMAGES_WANTED_BYTES:
        return WARN, text, f"ssh {name} mount -o remount,size=50% /run"
    return OK, text, ""


def _disk(facts: NodeFacts) -> _Outcome:
    mib = facts.state_free_bytes // 1024 // 1024
    text = f"{mib} MiB free in {facts.state_path}"
    if facts.state_free_bytes < STATE_WANTED_BYTES:
        return FAIL, text, f"make room on the file system of {facts.state_path}"
    return OK, text, ""


def _keys(name: str, open_keys: Sequence[str]) -> _Outcome:
    if not open_keys:
        return OK, "only their owner may read them", ""
    paths = " ".join(each.split()[0] for each in open_keys)
    at = "" if name == "here" else f"ssh {name} "
    return FAIL, f"others may read {', '.join(open_keys)}", f"{at}chmod 600 {paths}"


def judge_keys(name: str, open_keys: Sequence[str]) -> Finding:
    """Of a machine that is no node: whether secrets are kept."""
    return _finding(name, "keys", _keys(name, open_keys))


def judge_shell(name: str, lacks: Sequence[str], remedy: str) -> Finding:
    """Of a machine that is no node: whether its shell has what it reads and colours lines with."""
    return _finding(name, "shell", _shell(lacks, remedy))


def judge_served(rows: Sequence[ServedRow]) -> list[Finding]:
    """Of a machine that is no node: the jobs that need it."""
    told = [_served(row) for row in rows]
    return told or [_finding("here", "files", (OK, "no job needs files of this machine", ""))]


def _served(row: ServedRow) -> Finding:
    see = "job on {} sees" if row.jobs == 1 else "jobs on {} see"
    text = f"{row.jobs} {see.format(row.node)} files of this machine"
    if row.problem:
        problem = f"{text}, and is not heard: {row.problem}"
        return _finding("here", "files", (WARN, problem, f"ssi doctor {row.node}"))
    text += ": leave it on"
    return _finding("here", "files", (WARN, text, "ssi jobs"))


def _shell(lacks: Sequence[str], remedy: str) -> _Outcome:
    without = {
        "shfmt": "no shfmt: placements within loops, functions and the like are refused",
        "tree-sitter": "no tree-sitter: lines have no colours",
    }
    if not lacks:
        return OK, "its shell has shfmt and tree-sitter", ""
    return WARN, "; ".join(without[each] for each in lacks), remedy


def _cordon(name: str, *, cordoned: bool) -> _Outcome:
    if cordoned:
        return WARN, "it is cordoned: nothing is placed there", f"ssi uncordon {name}"
    return OK, "not cordoned", ""


def _finding(where: str, check: str, outcome: _Outcome) -> Finding:
    verdict, text, remedy = outcome
    return Finding(where=where, check=check, verdict=verdict, text=text, remedy=remedy)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
