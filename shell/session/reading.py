"""Lines read: their structure by shfmt, whether they are whole by ``bash -n``."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Final

from shell.errors import NoStructure
from shell.language.plaintree import plain_tree
from shell.language.plan import KEYWORDS, Names, Step, plain_plan, plan
from ssi.client.shfmt import shfmt

LIMIT_S: Final = 5.0

MOST_PARSED_BYTES: Final = 1 << 20
"""A longer line goes to bash as it is: its structure would take longer than it is worth."""

_MORE: Final = re.compile(
    rb"unexpected end of file|unexpected EOF while looking for|here-document at line \d+ delimited"
)


async def read_plan(line: str, names: Names) -> list[Step]:
    """What becomes of a line. One that is no valid bash goes to bash, which says why.

    Raises:
        NoStructure: It has placements, and its structure cannot be read here.
    """
    quick = plain_plan(line, names)
    if quick is not None:
        return quick
    tree = plain_tree(line)
    if tree is not None:
        return plan(line, tree, names)
    whole = [Step(kind="session", text=line, shown=line)]
    data = line.encode("utf-8", "surrogateescape")
    if len(data) > MOST_PARSED_BYTES or "\0" in line:
        return whole
    program = shfmt()
    if program is None:
        if re.search(r"(?:^|[|;&(]\s*)@", line):
            raise NoStructure
        return whole
    status, out, _ = await _asked([program, "--to-json"], data)
    return plan(line, json.loads(out), names) if status == 0 else whole


async def is_incomplete(text: str) -> bool:
    """Whether more has to come, as ``bash -n`` sees it."""
    backslashes = len(text) - len(text.rstrip("\\"))
    if backslashes % 2:
        return True
    if re.fullmatch(r"[A-Za-z0-9_./%+:,=@ -]*", text) and not KEYWORDS & set(text.split()):
        return False
    _, _, err = await _asked(["bash", "-n"], text.encode("utf-8", "surrogateescape") + b"\n")
    return bool(_MORE.search(err))


async def _asked(words: list[str], data: bytes) -> tuple[int, bytes, bytes]:
    """What a little program says to some input."""
    pipe = asyncio.subprocess.PIPE
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
    child = await asyncio.create_subprocess_exec(
        *words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            out, err = await child.communicate(data)
    except TimeoutError:
        child.kill()
        await child.wait()
        return 124, b"", b""
    return child.returncode or 0, out, err
