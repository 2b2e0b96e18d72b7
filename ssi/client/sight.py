"""Which files a job sees: those of the machine that it was started from, or of its node."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ssi.client.system import System
from ssi.model.errors import UsageError
from ssi.model.job import JobSpec
from ssi.model.jobfiles import (
    FilesUnavailable,
    JobFiles,
    default_binds,
    is_systems,
    ordered,
    parse_bind,
)
from ssi.protocol.clients import ServeFiles
from ssi.protocol.message import Done


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


def usual_sight() -> Sight:
    """What a job sees for which nothing was said: as ``SSI_ROOT`` has it, or this machine's files.

    Raises:
        UsageError: ``SSI_ROOT`` is something else.
    """
    said = os.environ.get("SSI_ROOT") or Root.AUTO.value
    try:
        return Sight(Root(said), ())
    except ValueError as exc:
        raise UsageError(text=f"SSI_ROOT={said}", hint="it can be auto, home or local") from exc


async def with_files(
    system: System, place: str, spec: JobSpec, sight: Sight, tell: Callable[[str], None]
) -> JobSpec:
    """The job with the files that it is to see; what the user should know of them is told.

    Raises:
        UsageError: A bind that cannot be read.
        SsiError: This machine is no node, and its agent does not serve its files.
    """
    if sight.root is Root.LOCAL:
        return spec
    home = await system.home()
    if not home:
        raise FilesUnavailable(
            node=place,
            files="files of this machine",
            reason="its agent is of an older version of ssi, and has to be ended first",
        )
    cwd = spec.cwd or "/"
    asked = [parse_bind(text, home, cwd) for text in sight.binds]
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
    if home in files.clients():
        await system.ask(ServeFiles(paths=files.paths_of(home)), Done)
    return msgspec.structs.replace(spec, files=files)
