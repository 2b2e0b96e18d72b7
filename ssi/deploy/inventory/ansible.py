"""Inventories of Ansible, as ``ansible-inventory --list`` prints them.

Ansible itself reads its INI, YAML, plug-ins and vaults; this reads what comes out of that.
Source: docs.ansible.com, "Developing dynamic inventory".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ssi.deploy.inventory.inventory import Inventory
from ssi.model.errors import UsageError

BY_SSH: Final = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh"})
OF_ANSIBLE: Final = ("ansible.builtin.", "ansible.legacy.")
SSH_PORT: Final = 22
TEMPLATE: Final = ("{{", "{%")

_HOW: Final = "write it by `ansible-inventory --list`"

Json = dict[str, Any]  # Any: what JSON holds


def parse(text: str) -> Inventory:
    """The hosts and groups of an inventory.

    Raises:
        UsageError: It is none.
    """
    groups = _groups_of(text)
    variables = _mapping(_mapping(groups.pop("_meta", {})).get("hostvars", {}))
    members = {name: _members(name, groups, frozenset()) for name in groups}
    named = dict.fromkeys([host for hosts in members.values() for host in hosts] + [*variables])
    hosts = [host for host in named if _is_by_ssh(_mapping(variables.get(host, {})))]
    ways: dict[str, str] = {}
    refused: dict[str, UsageError] = {}
    for host in hosts:
        try:
            ways[host] = _way(host, _mapping(variables.get(host, {})))
        except UsageError as exc:
            refused[host] = exc
    return Inventory(
        hosts=tuple(hosts),
        groups={
            name: [host for host in listed if host in ways or host in refused]
            for name, listed in members.items()
            if name != "all"
        },
        ways={host: way for host, way in ways.items() if way != host},
        left_out=tuple(host for host in named if host not in ways and host not in refused),
        refused=refused,
    )


def _groups_of(text: str) -> Json:
    try:
        return dict(_mapping(json.loads(text)))
    except json.JSONDecodeError as exc:
        raise UsageError(text=f"the inventory is no JSON: {exc}", hint=_HOW) from exc


def _members(name: str, groups: Json, above: frozenset[str]) -> list[str]:
    """Hosts of a group and of the groups in it; a group within itself adds nobody."""
    if name in above:
        return []
    group = groups.get(name, {})
    if isinstance(group, list):  # a group of hosts only, as some scripts write it
        return _texts(group)
    listed = _texts(_mapping(group).get("hosts", []))
    for child in _texts(_mapping(group).get("children", [])):
        listed += _members(child, groups, above | {name})
    return list(dict.fromkeys(listed))


def _is_by_ssh(variables: Mapping[str, Any]) -> bool:
    connection = str(variables.get("ansible_connection", "ssh"))
    for prefix in OF_ANSIBLE:
        connection = connection.removeprefix(prefix)
    return connection in BY_SSH


def _way(host: str, variables: Mapping[str, Any]) -> str:
    """What ssh is to be told: the name, or user and address where Ansible is told them.

    Raises:
        UsageError: The port is another than ssh's, which a roster cannot hold; or a value is a
            template, which `ansible-inventory` leaves as it is.
    """
    address = _variable(host, variables, "host") or host
    port = _variable(host, variables, "port") or str(SSH_PORT)
    if port != str(SSH_PORT):
        raise UsageError(
            text=f"{host} has ansible_port {port}",
            hint=f"write Host {host} with Port {port} into ~/.ssh/config, and leave the variable",
        )
    user = _variable(host, variables, "user")
    return f"{user}@{address}" if user else address


def _variable(host: str, variables: Mapping[str, Any], name: str) -> str:
    """What Ansible's ssh goes by: ``ansible_ssh_host`` before ``ansible_host``, and so on."""
    value = str(variables.get(f"ansible_ssh_{name}", variables.get(f"ansible_{name}", "")))
    if any(mark in value for mark in TEMPLATE):
        raise UsageError(
            text=f"{host} has an ansible_{name} that Ansible alone can read: {value}",
            hint=f"write Host {host} into ~/.ssh/config, and leave the variable",
        )
    return value


def _mapping(value: object) -> Json:
    if not isinstance(value, dict):
        raise UsageError(text="the inventory is not laid out as Ansible's", hint=_HOW)
    return value


def _texts(value: object) -> list[str]:
    if not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        raise UsageError(text="the inventory is not laid out as Ansible's", hint=_HOW)
    return list(value)
