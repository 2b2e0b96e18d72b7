"""What of a host decides which builds of a library run there, and how pip and wheels name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Libc: TypeAlias = Literal["glibc", "musl"]

OLDEST_GLIBC_MINOR = 5
"""manylinux begins with glibc 2.5."""

_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A host's Python, processor and C library.

    Attributes:
        python: Major and minor version.
        abi: CPython's, for instance ``cp313``; ``cp313t`` without its lock.
        arch: As ``uname -m``, ``i686`` for 32 bits on an x86.
        libc_version: Major and minor.
    """

    python: tuple[int, int]
    abi: str
    arch: str
    libc: Libc
    libc_version: tuple[int, int]

    def __str__(self) -> str:
        version = ".".join(map(str, self.libc_version))
        return f"Python {self.python[0]}.{self.python[1]}, {self.arch}, {self.libc} {version}"

    @property
    def key(self) -> str:
        """A name for directories: hosts of one key take the same wheels."""
        return f"{self.abi}-{self.arch}-{self.libc}-{'.'.join(map(str, self.libc_version))}"

    def platform_tags(self) -> list[str]:
        """The platforms whose wheels run here, the newest first. Source: PEP 600, PEP 656."""
        major, minor = self.libc_version
        if self.libc == "musl":
            return [f"musllinux_{major}_{each}_{self.arch}" for each in range(minor, -1, -1)]
        tags = []
        for each in range(minor, OLDEST_GLIBC_MINOR - 1, -1):
            tags.append(f"manylinux_{major}_{each}_{self.arch}")
            if each in _OLD_NAMES:
                tags.append(f"{_OLD_NAMES[each]}_{self.arch}")
        return tags
