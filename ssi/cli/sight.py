"""Which files a job sees: those of the machine that it was started from, or of its node."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from ssi.client.system import System
from ssi.model.errors import UsageError
from ssi.model.job import JobSpec
from ssi.model.jobfiles import JobFiles, default_binds, is_systems, ordered, parse_bind

THIS_MACHINE: Final = "this machine"
"""In place of a node's name, which has no space in it."""


class Root(StrEnum):
    """Whose files a job sees."""

    AUTO = "auto"
    HOME = "home"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Sight:
    """What the user said of the files that a job is to see."""

    root: Root
    binds: tuple[str, ...]


async def with_files(
    system: System, place: str, spec: JobSpec, sight: Sight, tell: Callable[[str], None]
) -> JobSpec:
    """The job with the files that it is to see; what the user should know of them is told.

    Raises:
        UsageError: A bind that cannot be read, or that this machine cannot give.
    """
    if sight.root is Root.LOCAL:
        return spec
    home = (await system.nodes()).observer
    cwd = spec.cwd or "/"
    asked = [parse_bind(text, home or THIS_MACHINE, cwd) for text in sight.binds]
    if not home:
        if sight.root is Root.HOME or any(bind.node == THIS_MACHINE for bind in asked):
            raise UsageError(
                text="this machine is no node, so its files are not seen on others",
                hint="add it with ssi up, or bind files of a node: --bind NODE:SRC[:DST]",
            )
        if sys.stderr.isatty():  # for a person; ssh's users expect nothing else
            tell(
                f"the job sees the files of {place}: this machine is no node, and its files are "
                "not seen there (--root local says nothing of it)"
            )
        files = JobFiles(home=place, binds=ordered(asked))
        return msgspec.structs.replace(spec, files=files) if asked else spec
    directory = pwd.getpwuid(os.getuid()).pw_dir
    is_whole = sight.root is Root.HOME
    # What its user cannot enter here, such as root's directory after su, is no loss there.
    own, work = (path if os.access(path, os.X_OK) else "" for path in (directory, cwd))
    binds = () if is_whole else default_binds(home, own, work)
    if place != home and not is_whole and is_systems(cwd) and cwd != "/":
        tell(f"the job sees {cwd} as {place} has it: it belongs to the machine (--bind {cwd})")
    files = JobFiles(
        home=home, home_directory=own, is_whole=is_whole, binds=ordered((*binds, *asked))
    )
    return msgspec.structs.replace(spec, files=files)
