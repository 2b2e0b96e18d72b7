"""The one Debian 13 root that every host of every lab lies over; made once, by mmdebstrap.

It is kept under a name that is the hash of its recipe, so a changed recipe makes a new one and a
running lab keeps the old. It appears under that name only when it is whole.

Source: mmdebstrap(1).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ssi.lab.command import CLEAN_ENVIRONMENT
from ssi.lab.errors import LabImageError
from ssi.lab.lock import hold_lock
from ssi.lab.recipe import CUSTOMIZE, DROPPED, PACKAGES, PREPARE, SOURCES, recipe_hash

CACHE = Path("/var/cache/ssi/lab")
BUILD_TIMEOUT_S = 900.0
"""Half a minute with a near mirror; a slow line may take a quarter of an hour."""


def current_image() -> Path:
    """Where the image of today's recipe is, or will be."""
    return CACHE / recipe_hash()


def ensure_image(progress: Callable[[str], None]) -> Path:
    """The image, made now where it was not yet; tells ``progress`` what takes so long.

    Two callers at once make it once: the second waits for the first.

    Raises:
        LabImageError: mmdebstrap failed, or took longer than a quarter of an hour.
    """
    image = current_image()
    if image.is_dir():
        return image
    CACHE.mkdir(parents=True, exist_ok=True)
    with hold_lock(CACHE / "lock", timeout_s=BUILD_TIMEOUT_S):
        if not image.is_dir():
            _remove_unfinished()
            _build(image, progress)
    return image


def _remove_unfinished() -> None:
    """Clears what a builder left that was killed; we hold the lock, so no other is at work."""
    for path in CACHE.glob("*.unfinished"):
        shutil.rmtree(path)


def _build(image: Path, progress: Callable[[str], None]) -> None:
    unfinished = image.with_name(f"{image.name}.unfinished")
    log = CACHE / "mmdebstrap.log"
    with log.open("w") as output, tempfile.TemporaryFile("w+") as sources:
        sources.write(SOURCES)
        sources.seek(0)
        builder = subprocess.Popen(
            _command(unfinished),
            stdin=sources,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
            umask=0o022,
        )
        try:
            for step in _steps(builder, log):
                progress(f"making the lab's Debian root (once, about half a minute): {step}")
        finally:
            builder.kill()  # nothing to kill where it ended; else its whole pid namespace dies
            builder.wait()
    if builder.returncode != 0:
        raise LabImageError(reason=last_error(log.read_text()), log=str(log))
    unfinished.rename(image)


def _command(target: Path) -> list[str]:
    """The builder in namespaces that end with us: no mount and no process stays behind."""
    contained = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc"]
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in DROPPED]
    return [
        *contained,
        "--fork",
        "--kill-child",
        "mmdebstrap",
        "--mode=root",
        "--format=directory",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        *options,
        f"--setup-hook={PREPARE}",
        f"--customize-hook={CUSTOMIZE}",
        "trixie",
        str(target),
        "-",
    ]


def _environment() -> dict[str, str]:
    """Ours for steps, and the proxy that the user may need to reach the mirrors."""
    proxies = {name: value for name, value in os.environ.items() if name.endswith("_proxy")}
    return {**CLEAN_ENVIRONMENT, **proxies}


def _steps(builder: subprocess.Popen[bytes], log: Path) -> Iterator[str]:
    """What mmdebstrap does, once a second, until it ends or its time is over."""
    deadline = time.monotonic() + BUILD_TIMEOUT_S
    while time.monotonic() < deadline:
        yield last_step(log.read_text(errors="replace"))
        try:
            builder.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            continue
        return


def last_step(log: str) -> str:
    """The newest step that mmdebstrap announced, in its words."""
    announced = [line[3:] for line in log.splitlines() if line.startswith("I: ")]
    return announced[-1].rstrip(".") if announced else "starting"


def last_error(log: str) -> str:
    """The line that tells best why mmdebstrap failed."""
    complaints = [line for line in log.splitlines() if line.startswith(("E: ", "W: Failed"))]
    return complaints[0][3:] if complaints else "mmdebstrap was killed or ran out of time"
