"""Which files make up a bundle, and where on this machine they come from."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from ssi.deploy.errors import BundleIncomplete

NODE_WHEELS = ("pyzmq", "msgspec", "psutil", "zstandard")
"""Libraries of the agent; all have machine code, so they come as wheels for the host."""

AGENT_PACKAGES = ("model", "protocol", "mesh", "policy", "transport")
"""Of ``ssi``, what the agent imports."""

SHFMT = "shfmt-py"
"""What the shell reads lines with: one static program, which serves each host of its processor."""

GRAMMAR = ("tree-sitter", "tree-sitter-bash")
"""What the shell colours lines with: machine code, as wheels for the host. Where there is none for
its kind the shell works without (ADR 21), as without shfmt."""

NOT_FOR_NODES = frozenset({"paramiko", "pip"})
"""Only a machine that deploys needs them; ``ssi up`` on a node says so."""

PROGRAMS = PurePosixPath("bin")
"""Where the programs of wheels lie in a layer."""

PURE_FALLBACK = frozenset({"pyyaml", "wcwidth"})
"""Libraries that work without their machine code, only slower."""

_SKIPPED_FOLDERS = frozenset({"__pycache__", "tests", "test"})
_SKIPPED_SUFFIXES = frozenset({".pyc", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".c", ".cpp"})
_NEVER_LOADED = ("zstandard/_cffi.", "zstandard/backend_cffi.")
"""12 MB for PyPy: under CPython, which nodes have, zstandard loads its other backend."""

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def of_agent() -> dict[str, bytes]:
    """``nodeagent``, and of ``ssi`` what it imports."""
    root = _folder_of("ssi")
    files = {f"ssi/{path.name}": path.read_bytes() for path in sorted(root.glob("*.py"))}
    for package in AGENT_PACKAGES:
        files |= _of_folder(root / package, f"ssi/{package}")
    return files | _of_folder(_folder_of("nodeagent"), "nodeagent")


def of_faces() -> dict[str, bytes]:
    """All of ``ssi``, and the shell and the TUI.

    It repeats what the agent layer has of ``ssi``: a package cannot lie in two directories.
    """
    files: dict[str, bytes] = {}
    for package in ("ssi", "shell", "tui"):
        files |= _of_folder(_folder_of(package), package)
    return files | _entry_points()


def of_wheel(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel, without tests and sources of machine code; its programs in ``bin``.

    Raises:
        BundleIncomplete: It cannot be read.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            files = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
            names = [name for name in files if _is_wanted(PurePosixPath(name))]
            return {_place(PurePosixPath(name)): archive.read(name) for name in names}
    except (OSError, zipfile.BadZipFile) as exc:
        raise BundleIncomplete(package=wheel.name, reason=str(exc)) from exc


def of_installed(name: str) -> dict[str, bytes]:
    """The files of an installed pure package, as they are here.

    Raises:
        BundleIncomplete: It is not installed, has machine code, or does not list its files.
    """
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError as exc:
        raise BundleIncomplete(package=name, reason="it is not installed") from exc
    if not _is_pure(package) and name not in PURE_FALLBACK:
        raise BundleIncomplete(package=name, reason="it has machine code")
    if package.files is None:
        raise BundleIncomplete(package=name, reason="it does not list its files")
    files = {}
    for path in package.files:
        if path.parts[0] != ".." and path.suffix != ".so" and _is_wanted(path):
            files[path.as_posix()] = Path(str(path.locate())).read_bytes()
    return files


def of_program(name: str) -> dict[str, bytes]:
    """The programs of an installed package, in ``bin``.

    Raises:
        BundleIncomplete: It has none here.
    """
    try:
        listed = metadata.distribution(name).files or []
    except metadata.PackageNotFoundError as exc:
        raise BundleIncomplete(package=name, reason="it is not installed") from exc
    found = [Path(str(path.locate())) for path in listed if path.parent.name == PROGRAMS.name]
    programs = {str(PROGRAMS / path.name): path.read_bytes() for path in found if path.exists()}
    if not programs:
        raise BundleIncomplete(package=name, reason="its program is not here")
    return programs


def face_requirements() -> list[str]:
    """The pure packages that the faces need, and all that those need, in order."""
    skipped = {*NODE_WHEELS, SHFMT, *GRAMMAR, *NOT_FOR_NODES}
    waiting = [name for name in _requirements("ssi") if name not in skipped]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [each for each in _requirements(name) if each not in skipped]
    return sorted(found)


def _requirements(name: str) -> Iterator[str]:
    """What a package needs; extras apart, and what is not needed (so not installed) here."""
    for text in metadata.requires(name) or []:
        match = _REQUIREMENT.match(text)
        if match is None or "extra ==" in text:
            continue
        needed = re.sub(r"[-_.]+", "-", match[0]).lower()
        try:
            metadata.version(needed)
        except metadata.PackageNotFoundError:
            continue
        yield needed


def _is_pure(package: metadata.Distribution) -> bool:
    return "Root-Is-Purelib: true" in (package.read_text("WHEEL") or "")


def _is_wanted(path: PurePosixPath) -> bool:
    if path.suffix in _SKIPPED_SUFFIXES or path.name == "RECORD" or not path.name:
        return False
    if str(path).startswith(_NEVER_LOADED):
        return False
    return not _SKIPPED_FOLDERS.intersection(path.parts)


def _place(path: PurePosixPath) -> str:
    """Where a file of a wheel belongs. Source: PEP 427."""
    if path.parts[0].endswith(".data") and path.parts[1] == "scripts":
        return str(PROGRAMS / path.name)
    return str(path)


def _of_folder(folder: Path, prefix: str) -> dict[str, bytes]:
    files = {}
    for path in sorted(folder.rglob("*")):
        below = PurePosixPath(prefix, path.relative_to(folder).as_posix())
        if path.is_file() and _is_wanted(below) and not path.name.startswith("."):
            files[str(below)] = path.read_bytes()
    return files


def _entry_points() -> dict[str, bytes]:
    """What lets the command line find the faces, as if ssi had been installed there."""
    package = metadata.distribution("ssi")
    folder = f"ssi-{package.version}.dist-info"
    texts = {name: package.read_text(name) for name in ("METADATA", "entry_points.txt")}
    return {f"{folder}/{name}": text.encode() for name, text in texts.items() if text}


def _folder_of(package: str) -> Path:
    """Where one of our packages lies; found, not imported, for these are above us."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise BundleIncomplete(package=package, reason="it is not installed")
    return Path(found.submodule_search_locations[0])
