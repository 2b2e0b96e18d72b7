"""A router for tests that translates addresses: behind it nodes are reached, and reach nobody."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ssi.lab import Host

LAN = "192.168.77"
TRANSLATE = """
table ip nat {{
    chain leave {{
        type nat hook postrouting priority srcnat;
        oifname eth0 ip saddr {lan}.0/24 masquerade
    }}
    chain pass {{
        type filter hook forward priority filter; policy drop;
        iifname lan0 ct state new,established accept
        iifname eth0 ct state established accept
    }}
}}
"""
SHUN = """
table ip home {{
    chain in {{
        type filter hook input priority filter;
        iifname eth0 ip saddr {{ {nodes} }} drop
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Router:
    """Stands between a host and the nodes, on which nobody knows the way to that host.

    Attributes:
        host: Itself.
        inner: Whom it speaks for.
        nodes: Whom that one reaches through it, and no other way.
    """

    host: Host
    inner: Host
    nodes: Sequence[Host]

    def connect(self) -> None:
        """Takes up its work; it knows of no connection that was there before."""
        # That of a router that has lost its power goes a moment after it.
        old = ("nsenter", "-t", str(self.inner.pid), "-n", "ip", "link", "delete", "home0")
        subprocess.run(old, check=False, capture_output=True, timeout=20)
        ends = ("home0", "netns", str(self.inner.pid)), ("lan0", "netns", str(self.host.pid))
        _here("ip", "link", "add", *ends[0], "type", "veth", "peer", "name", *ends[1])
        settings = ("net.ipv4.ip_forward=1", "net.netfilter.nf_conntrack_tcp_loose=0")
        _here("nsenter", "-t", str(self.host.pid), "-n", "sysctl", "-qw", *settings)
        _there(self.host, f"ip address add {LAN}.1/24 dev lan0; ip link set lan0 up")
        self.host.run("nft", "-f", "-", input=TRANSLATE.format(lan=LAN).encode())
        _there(self.inner, f"ip address add {LAN}.2/24 dev home0; ip link set home0 up")
        for node in self.nodes:
            _there(self.inner, f"ip route replace {node.address}/32 via {LAN}.1")
        addresses = ", ".join(node.address for node in self.nodes)
        _there(self.inner, "nft list table ip home >/dev/null 2>&1 && nft delete table ip home; :")
        self.inner.run("nft", "-f", "-", input=SHUN.format(nodes=addresses).encode())

    def restart(self) -> None:
        """It loses power and comes back, and with it all that it knew of connections."""
        self.host.kill()
        self.host.boot()
        self.connect()


def _here(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=20)


def _there(host: Host, line: str) -> None:
    done = host.run("sh", "-c", f"set -e; {line}")
    assert done.returncode == 0, (line, done)
