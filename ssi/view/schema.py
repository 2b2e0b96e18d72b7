"""The names that ``-o json``, ``jsonl`` and ``yaml`` promise, by command: the one source of them.

``docs/json.md`` is written from here, ``ssi schema`` shows it to programs, and tests compare it
with what commands print. A type is ``str``, ``int``, ``float`` or ``bool``, a list of it
(``[str]``), or the name of another kind (``{gpu}``, ``[{gpu}]``); ``?`` stands behind what may be
null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ssi.view.jsonview import JsonObject

VERSION: Final = 1
"""Rises when a name goes, or changes its meaning or type; not when one is added."""


class Name(NamedTuple):
    """One name of an object."""

    name: str
    type: str
    about: str = ""
    always: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What an object of one kind has.

    Attributes:
        title: How it comes about, for its heading.
        about: What an object stands for, in whole sentences.
    """

    title: str
    about: str
    names: tuple[Name, ...]


PART: Final = "part of another"
"""Title of kinds that stand in others only."""

KINDS: Final[Mapping[str, Kind]] = {
    "ps": Kind(
        title="ssi ps",
        about="An object for each process.",
        names=(
            Name("gpid", "int", "name of the process in the whole system"),
            Name("node", "str", "where it runs now"),
            Name("user", "str", "its owner there; the uid as text where it has no name"),
            Name("command", "str", "its command line; `[name]` where there is none to be seen"),
            Name("args", "[str]", "the same as a list; empty where there is none to be seen"),
            Name("name", "str", "its short name, at most 15 bytes"),
            Name("pid", "int", "its pid on that node"),
            Name("parent_gpid", "int?", "null for the first process of a node or job"),
            Name("job", "int?", "first gpid of the job that it belongs to"),
            Name("state", "str", "one letter, as in ps(1)"),
            Name("nice", "int"),
            Name("threads", "int"),
            Name("tty", "str?", "for instance `pts/3`"),
            Name("start_ms", "int", "identity beside the gpid: ms since boot, of a job since 1970"),
            Name("started_at_s", "float"),
            Name("cpu_s", "float", "CPU time"),
            Name("cpu_percent", "float", "CPU time as a share of its lifetime"),
            Name("memory_percent", "float?", "of its node's memory"),
            Name("rss_bytes", "int"),
            Name("vsize_bytes", "int"),
            Name("session_gpid", "int?", "leader of its session"),
            Name("group_gpid", "int?", "leader of its process group"),
        ),
    ),
    "nodes": Kind(
        title="ssi nodes",
        about="An object for each node.",
        names=(
            Name("name", "str"),
            Name("number", "int"),
            Name("state", "str", "`alive`, `suspect`, `dead` or `left`"),
            Name("address", "str"),
            Name("age_s", "float?", "since the node was last heard of; null: never"),
            Name("rtt_ms", "float?", "of the last probe"),
            Name("clock_offset_ms", "float?", "its clock minus that of the node that was asked"),
            Name("clock_error_ms", "float?", "the offset is right to so much, on either side"),
            Name("incarnation", "int", "rises at each start of its agent, and when it refutes"),
            Name("suspicion_s", "float?", "of a suspect: when it is believed dead"),
            Name("accusers", "int", "of a suspect: how many missed it"),
            Name("version", "str?", "of ssi"),
            Name("problem", "str?", "why it cannot be reached, where more is known than silence"),
            Name("metrics", "{metrics}?", "as it last told"),
        ),
    ),
    "metrics": Kind(
        title=PART,
        about="How a node fares.",
        names=(
            Name("taken_at_s", "float"),
            Name("uptime_s", "float"),
            Name("cores", "int"),
            Name("load", "[float]", "over 1, 5 and 15 minutes"),
            Name("memory_total_bytes", "int"),
            Name("memory_available_bytes", "int"),
            Name("swap_total_bytes", "int"),
            Name("swap_free_bytes", "int"),
            Name("disk_total_bytes", "int", "of `/`"),
            Name("disk_free_bytes", "int"),
            Name("processes", "int"),
            Name("jobs", "int"),
            Name("gpus", "[{gpu}]"),
            Name("kernel", "str?"),
            Name("arch", "str?"),
            Name("criu", "str?", "version; null where there is none"),
            Name("lacks", "[str]", "verbs that it does not serve, each with the reason"),
            Name("cordoned", "bool", "placement passes it over"),
        ),
    ),
    "gpu": Kind(
        title=PART,
        about="A GPU of a node.",
        names=(
            Name("name", "str"),
            Name("utilisation_percent", "float"),
            Name("memory_used_bytes", "int"),
            Name("memory_total_bytes", "int"),
        ),
    ),
    "jobs": Kind(
        title="ssi jobs",
        about="An object for each job, oldest first.",
        names=(
            Name("gpid", "int", "first gpid of the job"),
            Name("node", "str", "where it is now"),
            Name("user", "str"),
            Name("command", "str"),
            Name("args", "[str]"),
            Name("cwd", "str", "where it was started"),
            Name("state", "str", "as the table has it"),
            Name("exit_status", "int?", "null while it runs"),
            Name("started_at_s", "float"),
            Name("ended_at_s", "float?"),
            Name("detached", "bool"),
            Name("terminal", "bool"),
            Name("epoch", "int", "rises with each move"),
            Name("nodes", "[str]", "where it was, in order"),
            Name("home", "str", "the node whose files it sees; empty where those of its own"),
            Name("processes", "int"),
            Name("problem", "str", "empty where there is none"),
            Name("frozen", "bool"),
        ),
    ),
    "run": Kind(
        title="ssi run -n NODES -o json -- CMD",
        about="An object for each node; with `-o jsonl` as soon as its command has ended.",
        names=(
            Name("node", "str"),
            Name("gpid", "int?", "of the job; null where none was started"),
            Name("exit_status", "int?", "as `ssi run` gives it; null for one left running"),
            Name("error", "str?", "a word of errors.md where ssi failed and not the command"),
            Name("reason", "str?", "of that error"),
            Name("stdout", "str", "what it wrote, bytes that are no UTF-8 as U+FFFD"),
            Name("stderr", "str"),
            Name("truncated", "bool", "there was more than is kept"),
            Name("took_s", "float"),
        ),
    ),
    "wait": Kind(
        title="ssi wait",
        about="An object for each job, in the order in which they were named.",
        names=(
            Name("gpid", "int"),
            Name("exit_status", "int", "of the job; 255 or 124 with `error`"),
            Name("error", "str?", "a word of errors.md"),
        ),
    ),
    "kill": Kind(
        title="ssi kill, stop, cont, freeze, thaw, disown",
        about="An object for each process or job, in the order in which they were named.",
        names=(
            Name("gpid", "int"),
            Name("node", "str?", "where it is; null where that is not known"),
            Name("error", "str?", "a word of errors.md; null where it was done"),
            Name("reason", "str?", "of that error"),
        ),
    ),
    "events": Kind(
        title="ssi events",
        about="An object for each event; with `-f` each in a line, as it happens.",
        names=(
            Name("stamp", "int", "on the hybrid clock of the mesh, the same order everywhere"),
            Name("at_s", "float", "about which wall-clock time that was"),
            Name("node", "str", "whom it is about"),
            Name("event", "str", "`joined`, `suspected`, `refuted`, `died` or `left`"),
            Name("incarnation", "int", "of the node"),
            Name("by", "str?", "who found out; null for one that joined"),
        ),
    ),
    "free": Kind(
        title="ssi free",
        about="An object for each node, then one whose `node` is `all`: the sum.",
        names=(
            Name("node", "str"),
            Name("total_bytes", "int"),
            Name("used_bytes", "int"),
            Name("available_bytes", "int"),
            Name("swap_total_bytes", "int"),
            Name("swap_free_bytes", "int"),
        ),
    ),
    "uptime": Kind(
        title="ssi uptime",
        about="An object for each node, then one whose `node` is `all`: the sum.",
        names=(
            Name("node", "str"),
            Name("up_s", "float"),
            Name("load", "[float]"),
            Name("cores", "int"),
            Name("processes", "int"),
            Name("jobs", "int"),
        ),
    ),
    "migrate": Kind(
        title="ssi migrate",
        about="An object for each job, in the order in which they were named. One that failed has "
        "`gpid`, `moved`, `error` and `reason` only.",
        names=(
            Name("gpid", "int"),
            Name("moved", "bool"),
            Name("error", "str?", "a word of errors.md"),
            Name("reason", "str", "of that error", always=False),
            Name("source", "str", "", always=False),
            Name("destination", "str", "", always=False),
            Name("total_ms", "float", "", always=False),
            Name("freeze_ms", "float", "", always=False),
            Name("image_bytes", "int", "", always=False),
            Name("carried_bytes", "int", "of files", always=False),
            Name("files", "[str]", "paths", always=False),
            Name("sent_bytes", "int", "over the link", always=False),
            Name("compressed_bytes", "int", "how much was compressed on its way", always=False),
            Name("dump_ms", "float", "", always=False),
            Name("send_ms", "float", "after the dump", always=False),
            Name("restore_ms", "float", "", always=False),
            Name("late_bytes", "int", "memory that came after it ran", always=False),
        ),
    ),
    "migrate --dry-run": Kind(
        title="ssi migrate --dry-run, ssi adopt --dry-run",
        about="An object for each job, as above where the check itself failed.",
        names=(
            Name("gpid", "int"),
            Name("source", "str"),
            Name("destination", "str"),
            Name("can_move", "bool"),
            Name("blockers", "[{blocker}]", "what stands in the way"),
            Name("image_bytes", "int", "about"),
            Name("file_bytes", "int"),
            Name("error", "str?"),
        ),
    ),
    "blocker": Kind(
        title=PART,
        about="What stands in the way, and where.",
        names=(Name("node", "str"), Name("reason", "str")),
    ),
    "adopt": Kind(
        title="ssi adopt",
        about="An object for each process that is one of a job now.",
        names=(Name("gpid", "int", "of the process"), Name("node", "str"), Name("job", "int")),
    ),
    "drain": Kind(
        title="ssi drain",
        about="One object.",
        names=(
            Name("node", "str"),
            Name("moved", "[{migrate}]", "as `ssi migrate` has them"),
            Name("left", "[{left}]", "jobs that stay"),
        ),
    ),
    "left": Kind(
        title=PART,
        about="A job that stays.",
        names=(Name("gpid", "int"), Name("error", "str?"), Name("reason", "str")),
    ),
    "cordon": Kind(
        title="ssi cordon, ssi uncordon",
        about="An object for each node.",
        names=(Name("node", "str"), Name("cordoned", "bool")),
    ),
    "why": Kind(
        title="ssi why",
        about="An object for each job and node, best first.",
        names=(
            Name("job", "int"),
            Name("node", "str"),
            Name("score", "float?", "lower is better; null: out of the question"),
            Name("fits", "bool"),
            Name("reasons", "[str]"),
        ),
    ),
    "checkpoints": Kind(
        title="ssi checkpoints",
        about="An object for each, oldest first.",
        names=(
            Name("name", "str"),
            Name("node", "str", "that keeps it"),
            Name("gpid", "int", "of the job"),
            Name("user", "str"),
            Name("command", "str"),
            Name("args", "[str]"),
            Name("epoch", "int"),
            Name("made_at_s", "float"),
            Name("size_bytes", "int"),
            Name("kept", "bool", "false: until its job has ended"),
            Name("problem", "str", "why it cannot be restored: then only name and node are known"),
        ),
    ),
    "checkpoint": Kind(
        title="ssi checkpoint",
        about="An object for each that was made.",
        names=(
            Name("gpid", "int", "of the job"),
            Name("name", "str"),
            Name("node", "str"),
            Name("size_bytes", "int"),
            Name("total_ms", "float"),
            Name("freeze_ms", "float"),
        ),
    ),
    "restore": Kind(
        title="ssi restore, ssi clone",
        about="An object for each job that runs now.",
        names=(
            Name("gpid", "int"),
            Name("node", "str"),
            Name("total_ms", "float"),
            Name("freeze_ms", "float", "of the job that was cloned"),
        ),
    ),
    "mount": Kind(
        title="ssi mount",
        about="An object for each mount.",
        names=(
            Name("on", "str", "the node that has the mount"),
            Name("node", "str", "whose files"),
            Name("point", "str", "where"),
        ),
    ),
    "ls": Kind(
        title="ssi ls",
        about="An object for each file.",
        names=(
            Name("place", "str", "node and path, as other commands take them"),
            Name("node", "str", "whose file; empty for this machine"),
            Name("path", "str", "from the root on"),
            Name("name", "str", "within the directory that was asked for"),
            Name("kind", "str", "`file`, `directory`, `link`, `fifo`, `socket` or `device`"),
            Name("mode", "str", "octal, `0644`"),
            Name("links", "int", "how many names it has"),
            Name("user", "str", "its owner; the uid as text where it has no name"),
            Name("group", "str", "likewise"),
            Name("size_bytes", "int"),
            Name("modified_at_s", "float"),
            Name("target", "str?", "where a symbolic link leads"),
        ),
    ),
    "doctor": Kind(
        title="ssi doctor",
        about="An object for each check.",
        names=(
            Name("where", "str", "a node, or `here`"),
            Name("check", "str"),
            Name("verdict", "str", "`ok`, `warn` or `fail`"),
            Name("text", "str"),
            Name("remedy", "str?", "a command that mends it"),
        ),
    ),
    "up": Kind(
        title="ssi up, ssi down",
        about="An object for each host.",
        names=(
            Name("host", "str", "as it was named"),
            Name("done", "str?", "what was done, in a few words; null where it failed"),
            Name("took_s", "float"),
            Name("error", "str?", "a word of errors.md"),
            Name("reason", "str?", "of that error"),
        ),
    ),
    "lab status": Kind(
        title="ssi lab status",
        about="An object for each host of each lab.",
        names=(
            Name("lab", "str"),
            Name("host", "str"),
            Name("address", "str"),
            Name("condition", "str", "`running`, `paused`, `cut` or `down`"),
            Name("pid", "int?", "of its init on this machine"),
            Name("ssh_config", "str", "path of a file for `ssh -F`"),
        ),
    ),
    "explain": Kind(
        title="ssi explain",
        about="An object for each code.",
        names=(
            Name("code", "str"),
            Name("exit_status", "int"),
            Name("what", "str", "happened"),
            Name("why", "str", "it may have happened"),
            Name("try", "str", "what helps"),
            Name("fields", "[str]", "what such an error says of itself"),
        ),
    ),
}

_SCALARS: Final = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


def has_name(kind: str, path: str) -> bool:
    """Whether objects of a kind have ``a`` or ``a.b``."""
    name, _, rest = path.partition(".")
    found = next((each for each in KINDS[kind].names if each.name == name), None)
    if found is None:
        return False
    inner = found.type.strip("[]{}?")
    return not rest or (inner in KINDS and has_name(inner, rest))


def json_schema() -> JsonObject:
    """All kinds as JSON Schema (draft 2020-12), by command."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What ssi prints with -o json",
        "version": VERSION,
        "$defs": {name: _object(kind) for name, kind in KINDS.items()},
    }


def _object(kind: Kind) -> JsonObject:
    return {
        "title": kind.title,
        "description": kind.about,
        "type": "object",
        "properties": {
            each.name: {**_type(each.type), **({"description": each.about} if each.about else {})}
            for each in kind.names
        },
        "required": [each.name for each in kind.names if each.always],
    }


def _type(text: str) -> JsonObject:
    if text.endswith("?"):
        return {"anyOf": [_type(text[:-1]), {"type": "null"}]}
    if text.startswith("["):
        return {"type": "array", "items": _type(text[1:-1])}
    if text.startswith("{"):
        return {"$ref": f"#/$defs/{text[1:-1]}"}
    return {"type": _SCALARS[text]}
