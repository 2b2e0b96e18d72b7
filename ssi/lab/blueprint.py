"""What a lab is, as a value: its name, its subnet, its size, and every name that follows from them.

All that exists of a lab on the machine (interfaces, cgroups, folders) is named after the lab, so
whoever knows the name can find and remove it, whatever was running when the power went.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from pathlib import Path
from typing import Literal

from ssi.lab.errors import LabConflictError, LabHostUnknownError
from ssi.model.errors import UsageError

LARGEST_SIZE = 64
"""Hosts of one lab: two digits keep the names of interfaces within the kernel's 15 characters."""

FIRST_HOST_OFFSET = 10
"""n1 stands at .11, n2 at .12; the machine's end of the bridge at .1."""

Init = Literal["own", "systemd"]
"""What is pid 1 of each host: ``init.py``, which boots in a tenth of a second, or systemd."""

DEFAULT_NETWORKS = IPv4Network("10.99.0.0/16")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,7}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A lab as it was asked for; checked when it is made.

    Raises:
        UsageError: The name, the size or the subnet cannot be used.
    """

    name: str
    subnet: IPv4Network
    size: int
    image: Path
    init: Init = "own"

    def __post_init__(self) -> None:
        check_name(self.name)
        check_size(self.size)
        needed = FIRST_HOST_OFFSET + self.size + 2
        if self.subnet.num_addresses < needed:
            raise UsageError(
                text=f"the subnet {self.subnet} is too small for {self.size} hosts",
                hint="a /24 holds every lab",
            )

    @property
    def bridge(self) -> str:
        """The name of the lab's bridge on this machine, at most 12 characters."""
        return f"ssi-{self.name}"

    @property
    def bridge_address(self) -> IPv4Address:
        """The machine's own address in the lab."""
        return self.subnet[1]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts' names, n1 first."""
        return tuple(f"n{index}" for index in range(1, self.size + 1))

    def address(self, host: str) -> IPv4Address:
        """The address of ``host``, one of :attr:`hosts`."""
        return self.subnet[FIRST_HOST_OFFSET + int(host[1:])]

    def port(self, host: str) -> str:
        """The name of the host's end of its cable on this machine, at most 15 characters."""
        return f"{self.bridge}.{host[1:]}"

    def check_host(self, host: str) -> None:
        """Holds when the lab has such a host.

        Raises:
            LabHostUnknownError: It has not.
        """
        if host not in self.hosts:
            raise LabHostUnknownError(lab=self.name, host=host, size=self.size)


def check_name(name: str) -> None:
    """Holds when ``name`` can name a lab: it becomes part of interface, cgroup and folder names.

    Raises:
        UsageError: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            text=f"{name!r} cannot be the name of a lab",
            hint="use 1 to 8 characters of a-z, 0-9 and '-', a letter first",
        )


def check_size(size: int) -> None:
    """Holds when a lab can have ``size`` hosts.

    Raises:
        UsageError: It cannot.
    """
    if not 1 <= size <= LARGEST_SIZE:
        raise UsageError(
            text=f"a lab cannot have {size} hosts", hint=f"ask for 1 to {LARGEST_SIZE} of them"
        )


def parse_subnet(text: str) -> IPv4Network:
    """The network that ``text`` names, as in ``10.99.7.0/24``.

    Raises:
        UsageError: It names none, or a public one: a lab would hide those hosts of the internet.
    """
    try:
        network = IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as exc:
        raise UsageError(
            text=f"{text!r} is not an IPv4 subnet: {exc}", hint="write it as in 10.99.7.0/24"
        ) from exc
    if not network.is_private or network.is_loopback or network.is_link_local:
        raise UsageError(
            text=f"{network} is no private network",
            hint="choose one within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
        )
    return network


def choose_subnet(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first /24 of 10.99.0.0/16 that overlaps none of ``taken``.

    Raises:
        LabConflictError: All 256 overlap.
    """
    occupied = [network for network in taken if network.overlaps(DEFAULT_NETWORKS)]
    for candidate in DEFAULT_NETWORKS.subnets(new_prefix=24):
        if not any(candidate.overlaps(network) for network in occupied):
            return candidate
    raise LabConflictError(
        text=f"every /24 of {DEFAULT_NETWORKS} is in use on this machine",
        hint="choose another network with --subnet",
    )


def check_subnet_free(subnet: IPv4Network, taken: Iterable[IPv4Network]) -> None:
    """Holds when ``subnet`` overlaps none of ``taken``.

    Raises:
        LabConflictError: It does, so a lab there would cut off what the machine reaches now.
    """
    for network in taken:
        if subnet.overlaps(network):
            raise LabConflictError(
                text=f"the subnet {subnet} overlaps {network}, which this machine uses already",
                hint="choose another with --subnet, or leave it out",
            )
