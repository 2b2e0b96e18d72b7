"""Wheels for another machine than this one, fetched by pip and kept for the next time.

Nodes need no package index, no pip and no compiler: what they lack arrives from here.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ssi.deploy.errors import NoWheel
from ssi.deploy.platform import Platform

FETCH_TIMEOUT_S = 180.0

HASTE = ("--retries", "0", "--timeout", "5")
"""Arguments of pip for what can be done without: an index out of reach holds nobody up for long."""

ASKED_AGAIN_S = 600.0
"""How long it is remembered that there was no such wheel: each ``ssi up`` would ask anew."""


class WheelStore:
    """The wheels that were fetched so far, by platform.

    Args:
        directory: Where they are kept; made when first needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._one_at_a_time = threading.Lock()  # many hosts, mostly of one platform

    def get(self, wanted: Mapping[str, str], platform: Platform) -> list[Path]:
        """A wheel for each of the wanted packages (name to version), in their order.

        Raises:
            NoWheel: One is not here and cannot be fetched.
        """
        shelf = self._directory / platform.key
        with self._one_at_a_time:
            missing = {
                name: version
                for name, version in wanted.items()
                if find_wheel(shelf, name, version) is None
            }
            if missing:
                _fetch(missing, platform, shelf)
            return [_require(shelf, name, wanted[name], platform) for name in wanted]

    def get_optional(self, wanted: Mapping[str, str], platform: Platform) -> list[Path]:
        """As :meth:`get`, of packages that can be done without.

        The index is asked once, in haste, and after a refusal not for some minutes.

        Raises:
            NoWheel: As above, or the index was asked a little while ago.
        """
        shelf = self._directory / platform.key
        refusal = shelf / f".refused-{'-'.join(f'{name}-{wanted[name]}' for name in wanted)}"
        with self._one_at_a_time:
            if any(find_wheel(shelf, name, version) is None for name, version in wanted.items()):
                if (reason := _remembered(refusal)) is not None:
                    raise NoWheel(package=", ".join(wanted), platform=str(platform), reason=reason)
                try:
                    _fetch(wanted, platform, shelf, HASTE)
                except NoWheel as exc:
                    refusal.write_text(exc.reason, encoding="utf-8")
                    raise
            return [_require(shelf, name, wanted[name], platform) for name in wanted]


def _remembered(refusal: Path) -> str | None:
    """Why there was no such wheel a little while ago; None where that has to be asked."""
    try:
        age_s = time.time() - refusal.stat().st_mtime
        reason = refusal.read_text(encoding="utf-8")
    except OSError:
        return None
    if not 0 <= age_s < ASKED_AGAIN_S:
        return None
    return f"{reason} (asked {age_s / 60:.0f} min ago; again after {ASKED_AGAIN_S / 60:.0f})"


def find_wheel(shelf: Path, name: str, version: str) -> Path | None:
    """The wheel of that package on the shelf; None where there is none that is whole."""
    stem = re.sub(r"[-_.]+", "_", name).lower()
    found = (path for path in sorted(shelf.glob("*.whl")) if zipfile.is_zipfile(path))
    return next(
        (path for path in found if path.name.lower().startswith(f"{stem}-{version}-")), None
    )


def pip_arguments(wanted: Mapping[str, str], platform: Platform, destination: Path) -> list[str]:
    """The arguments of pip that fetch these packages for that platform, as wheels only."""
    arguments = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-input"]
    arguments += ["--dest", str(destination), "--implementation", "cp"]
    arguments += ["--python-version", f"{platform.python[0]}.{platform.python[1]}"]
    for abi in (platform.abi, "abi3", "none"):
        arguments += ["--abi", abi]
    for tag in platform.platform_tags():
        arguments += ["--platform", tag]
    return [*arguments, *(f"{name}=={version}" for name, version in wanted.items())]


def _fetch(
    wanted: Mapping[str, str], platform: Platform, shelf: Path, more: Sequence[str] = ()
) -> None:
    """The wheels are on the shelf, each put there whole."""
    shelf.mkdir(parents=True, exist_ok=True)
    names = ", ".join(wanted)
    with tempfile.TemporaryDirectory(dir=shelf, prefix=".fetch-") as fresh:
        arguments = pip_arguments(wanted, platform, Path(fresh))
        command = [sys.executable, "-m", "pip", *arguments, *more]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=FETCH_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as exc:
            reason = f"pip did not end within {FETCH_TIMEOUT_S:.0f} s"
            raise NoWheel(package=names, platform=str(platform), reason=reason) from exc
        if done.returncode != 0:
            reason = explain(done.stderr.decode(errors="replace"))
            raise NoWheel(package=names, platform=str(platform), reason=reason)
        for wheel in Path(fresh).glob("*.whl"):
            wheel.replace(shelf / wheel.name)


def explain(complaint: str) -> str:
    """Why pip failed, in our words: its own may hold the addresses of private indexes."""
    if "No module named pip" in complaint:
        return "this Python has no pip"
    if re.search(r"connection|timed out|Max retries|resolve|Network", complaint, re.IGNORECASE):
        return "the package index cannot be reached, and the cache has none"
    missing = re.search(r"No matching distribution found for ([\w.=-]+)", complaint)
    if missing:
        return f"the package index has no {missing[1]} built for it"
    return "pip failed"


def _require(shelf: Path, name: str, version: str, platform: Platform) -> Path:
    wheel = find_wheel(shelf, name, version)
    if wheel is None:
        raise NoWheel(package=name, platform=str(platform), reason="pip fetched none")
    return wheel
