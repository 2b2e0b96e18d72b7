"""The lab's network: a bridge on this machine, and a veth cable from it to each host.

Everything goes through iproute2. No firewall rule, no route but the bridge's own subnet, and no
sysctl is touched. A host's end of the cable dies with its network namespace, and takes the other
end with it; :func:`remove` does not rely on that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import TypedDict

from ssi.lab.blueprint import Blueprint
from ssi.lab.command import run_step
from ssi.lab.errors import LabStepError

REMOVAL_TIMEOUT_S = 10.0
"""The kernel takes a dead network namespace apart within some 50 ms, in the background."""


class _Route(TypedDict):
    dst: str


class _Link(TypedDict):
    ifname: str
    flags: list[str]


def hardware_address(address: IPv4Address) -> str:
    """The locally administered Ethernet address that goes with an IPv4 address of a lab."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x55, *address.packed))


def networks_in_use() -> list[IPv4Network]:
    """The IPv4 networks that this machine has a route to, the default route left out."""
    routes: list[_Route] = json.loads(run_step(["ip", "-j", "-4", "route", "show"]))
    return [IPv4Network(route["dst"]) for route in routes if route["dst"][0].isdigit()]


def links_of(bridge: str) -> dict[str, bool]:
    """The interfaces of the lab on this machine by name, with whether each is up."""
    links: list[_Link] = json.loads(run_step(["ip", "-j", "link", "show"]))
    return {
        link["ifname"]: "UP" in link["flags"]
        for link in links
        if link["ifname"] == bridge or link["ifname"].startswith(f"{bridge}.")
    }


def ensure_bridge(blueprint: Blueprint) -> None:
    """The bridge exists, is up and has the machine's address in the lab."""
    bridge, subnet = blueprint.bridge, blueprint.subnet
    lines = []
    if bridge not in links_of(bridge):
        # A bridge without a hardware address of its own takes over the lowest of its ports', and
        # then every new host would make the others' ARP entries stale.
        hardware = hardware_address(blueprint.bridge_address)
        lines.append(f"link add {bridge} address {hardware} type bridge forward_delay 0")
    lines.append(f"address replace {blueprint.bridge_address}/{subnet.prefixlen} dev {bridge}")
    lines.append(f"link set {bridge} up")
    _batch(lines)


def plug_in(blueprint: Blueprint, init_pids: Mapping[str, int]) -> None:
    """Each host has a cable from the bridge to ``eth0`` in the namespace of its init."""
    remove(blueprint.bridge, [blueprint.port(host) for host in init_pids])
    lines = []
    for host, pid in init_pids.items():
        port = blueprint.port(host)
        # The same at each boot: its neighbours remember a machine's hardware address for a minute.
        hardware = hardware_address(blueprint.address(host))
        peer = f"peer name eth0 address {hardware} netns {pid}"
        lines.append(f"link add {port} type veth {peer}")
        lines.append(f"link set {port} master {blueprint.bridge} up")
    _batch(lines)


def enslave(blueprint: Blueprint, hosts: Iterable[str]) -> None:
    """The cables of ``hosts`` hang on the bridge; for a bridge that was made anew."""
    _batch([f"link set {blueprint.port(host)} master {blueprint.bridge}" for host in hosts])


def set_link(port: str, *, up: bool) -> None:
    """The cable carries packets, or drops all of them in both directions."""
    run_step(["ip", "link", "set", port, "up" if up else "down"])


def remove(bridge: str, names: Iterable[str] | None = None) -> None:
    """None of the lab's interfaces in ``names`` exists; all of the lab's where it is left out.

    Raises:
        LabStepError: Some are left after ten seconds.
    """
    wanted = None if names is None else set(names)
    deadline = time.monotonic() + REMOVAL_TIMEOUT_S
    while True:
        left = [name for name in links_of(bridge) if wanted is None or name in wanted]
        if not left:
            return
        if time.monotonic() > deadline:
            raise LabStepError(step="removing interfaces", reason=f"{', '.join(left)} stayed")
        for name in left:
            _delete(bridge, name)


def _delete(bridge: str, name: str) -> None:
    try:
        run_step(["ip", "link", "delete", name])
    except LabStepError:
        # The kernel may have been faster: the other end's namespace died between our look and our
        # step. Its words for that differ by the moment.
        if name in links_of(bridge):
            raise


def _batch(lines: list[str]) -> None:
    if lines:
        run_step(["ip", "-batch", "-"], stdin="".join(f"{line}\n" for line in lines))
