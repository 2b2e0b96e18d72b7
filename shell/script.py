"""Scripts: ``ssi -c LINE``, ``ssi FILE ARGS``, ``#!/usr/bin/env ssi``, lines on stdin.

A script is run by bash, which this process becomes: its statuses, signals and descriptors are
bash's own. Only where a script has placements is its text another, with calls of ``__ssi_at`` in
their place. On a machine that is no node it runs on one, as ``ssi run`` does it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Final, NoReturn

from shell.language.invocation import Invocation
from shell.session.carried import OWN
from ssi.client import paths
from ssi.client.shfmt import shfmt

PARSE_LIMIT_S: Final = 20.0

MOST_ARGUMENT_BYTES: Final = 100_000
"""Of one argument, which Linux bounds by 128 KiB (execve(2))."""

UNKNOWN: Final = '() { __ssi_unknown "$@"; }'
"""Where the structure of a script cannot be read, bash meets a placement as a command that it does
not find, and hands over its words, which it has expanded."""


def run_script(how: Invocation) -> NoReturn:
    """Becomes bash with a script.

    A file that cannot be read is bash's to complain of.
    """
    text, is_changed = _text_of(how)
    environment = {**os.environ, **(functions() if is_changed else {})}
    if not is_changed and shfmt() is None:
        environment.update(functions(UNKNOWN))
    words = ["bash", *how.options]
    if how.kind == "command":
        words += ["-c", text or how.text, *how.arguments]
    elif how.kind == "stdin":
        words += ["-s", *how.arguments]
        if text is not None:
            os.dup2(_file_with(text), 0)
    elif text is None:
        words += ["--", how.text, *how.arguments]
    elif len(text.encode("utf-8", "surrogateescape")) < MOST_ARGUMENT_BYTES:
        words += ["-c", text, how.text, *how.arguments]
    else:
        words += [f"/proc/self/fd/{_file_with(text)}", *how.arguments]
    if how.node or not _is_node():
        words = _elsewhere(how, words, is_changed=is_changed)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # which Python ignores, and bash would inherit
    sys.stdout.flush()
    program = bash_in(environment.get("PATH", os.defpath)) if words[0] == "bash" else words[0]
    os.execvpe(program, words, environment)  # noqa: S606 - this is what was asked for


def bash_in(search: str) -> str:
    """The first bash of a ``PATH`` that is no script: one that starts us would do so for ever."""
    for folder in search.split(os.pathsep):
        path = Path(folder or ".", "bash")
        try:
            with path.open("rb") as file:
                if os.access(path, os.X_OK) and file.read(2) != b"#!":
                    return str(path.absolute())
        except OSError:
            continue
    return "bash"


def functions(unknown: str = "") -> dict[str, str]:
    """What a placement within a script calls, as bash takes functions from its environment.

    Args:
        unknown: A function for commands that are not found; empty for none.
    """
    text = files("shell.session").joinpath("resident.bash").read_text(encoding="utf-8")
    found = {"__ssi_own": OWN.pattern}
    for name in ("__ssi_at", "__ssi_state", "__ssi_unknown"):
        body = text.partition(f"\n{name}() ")[2].partition("\n}\n")[0]
        found[f"BASH_FUNC_{name}%%"] = f"() {body}\n}}"
    if unknown:
        found["BASH_FUNC_command_not_found_handle%%"] = unknown
    return found


def _text_of(how: Invocation) -> tuple[str | None, bool]:
    """The text that bash is to have, None for what it reads itself, and whether it was changed."""
    if how.kind == "command":
        text = how.text
    elif how.kind == "file":
        text = _read(how.text)
    elif "@" not in (text := _stdin()):
        return text, False
    changed = _with_calls(text)
    if changed is not None:
        return changed, True
    return (text if how.kind == "stdin" else None), False


def _read(name: str) -> str:
    """The text of a file; empty where it cannot be read, which bash then says by itself."""
    try:
        return Path(name).read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _stdin() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")


def _with_calls(text: str) -> str | None:
    """The text with calls in the place of its placements; None where it has none.

    What is no valid bash is left to bash, which says why.
    """
    if "@" not in text and ":/" not in text:
        return None
    program = shfmt()
    if program is None:
        return None
    done = subprocess.run(
        [program, "--to-json", "-ln", "bash"],
        input=text.encode("utf-8", "surrogateescape"),
        capture_output=True,
        timeout=PARSE_LIMIT_S,
        check=False,
    )
    if done.returncode:
        return None
    from shell.language.plan import with_calls

    changed = with_calls(text, json.loads(done.stdout), _names())
    return None if changed == text else changed


def _names() -> frozenset[str]:
    """Of the nodes, as far as this machine knows them without asking."""
    found = set()
    if Path("/ssi/n").is_dir():
        found |= {entry.name for entry in Path("/ssi/n").iterdir()}
    if paths.cluster().exists():
        roster = json.loads(paths.cluster().read_bytes())
        found |= {str(entry[0]) for entry in roster[2]}
    return frozenset(found)


def _is_node() -> bool:
    return not paths.is_client()


def _file_with(text: str) -> int:
    """A descriptor of a file that holds the text, at its beginning."""
    descriptor = os.memfd_create("script", 0)
    os.write(descriptor, text.encode("utf-8", "surrogateescape"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _elsewhere(how: Invocation, words: list[str], *, is_changed: bool) -> list[str]:
    """The words of ``ssi run`` that run a script on a node."""
    from ssi.client.ownwords import own_words

    if how.kind == "file" and "-c" not in words:
        text = Path(how.text).read_text(encoding="utf-8", errors="surrogateescape")
        words = ["bash", *how.options, "-c", text, how.text, *how.arguments]
    run = [*own_words(), "run", *(["-n", how.node] if how.node else [])]
    if is_changed:
        for name, value in functions().items():
            run += ["--env", f"{name}={value}"]
    return [*run, "--", *words]
