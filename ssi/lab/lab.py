"""A lab: throwaway Linux hosts on this machine, found again by their lab's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

from ssi.lab import blueprint as blueprints
from ssi.lab import network, state
from ssi.lab.blueprint import Blueprint, Init
from ssi.lab.boot import Plan, boot
from ssi.lab.cgroup import Cgroup, hierarchy
from ssi.lab.errors import LabConflictError, LabUnavailableError, LabUnknownError
from ssi.lab.host import Host
from ssi.lab.identity import share_names, write_identities
from ssi.lab.image import ensure_image
from ssi.lab.requirements import check_machine, check_root

DEFAULT_NAME = "lab"
DEFAULT_SIZE = 3

_INIT_NAMES: dict[Init, str] = {"own": "the lab's own init", "systemd": "systemd"}


class Lab:
    """A lab that exists. It holds nothing open: two objects of one name are the same lab."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.name = blueprint.name
        self.ssh_config: Path = state.folder_of(blueprint.name) / "ssh_config"

    def __repr__(self) -> str:
        return f"Lab({self.name!r}, size={self.blueprint.size}, subnet={self.blueprint.subnet})"

    @classmethod
    def up(
        cls,
        name: str = DEFAULT_NAME,
        size: int = DEFAULT_SIZE,
        subnet: str | None = None,
        progress: Callable[[str], None] | None = None,
        init: Init | None = None,
    ) -> Lab:
        """The lab with at least ``size`` hosts, all of them running; made where it was not.

        A second call changes nothing, a larger size adds hosts, and a host that died is booted
        again with its disk. Hosts that are paused or cut off stay so. ``init`` is what runs as pid
        1 of the hosts: where it is left out, that of the lab, and ``own`` for a new one.

        Raises:
            UsageError: The name, the size or the subnet cannot be used.
            LabUnavailableError: This machine cannot hold a lab.
            LabConflictError: The lab exists with another subnet or init, or the subnet is in use.
            LabImageError: The Debian root could not be made.
            LabBootError: A host did not come up.
        """
        blueprints.check_name(name)
        blueprints.check_size(size)
        asked = None if subnet is None else blueprints.parse_subnet(subnet)
        check_machine()
        image = ensure_image(progress or _ignore)
        with state.exclusive():
            blueprint = _agree(name, size, asked, image, init)
            state.save(blueprint)
            lab = cls(blueprint)
            lab._raise_up()
        return lab

    @classmethod
    def find(cls, name: str = DEFAULT_NAME) -> Lab | None:
        """The lab of that name; None where there is none.

        Raises:
            UsageError: No lab can have that name.
        """
        blueprint = state.load(name)
        return None if blueprint is None else cls(blueprint)

    @classmethod
    def get(cls, name: str = DEFAULT_NAME) -> Lab:
        """The lab of that name.

        Raises:
            LabUnknownError: There is none.
        """
        lab = cls.find(name)
        if lab is None:
            raise LabUnknownError(lab=name, known=cls.names())
        return lab

    @classmethod
    def names(cls) -> list[str]:
        """The labs of this machine, in order; also one of which a crash left only a part."""
        living = [] if hierarchy() is None else _all_labs().children()
        return sorted({*state.names(), *living})

    @classmethod
    def remove(cls, name: str) -> None:
        """Nothing of a lab of that name exists: no process, mount, interface, cgroup or file.

        It works from the name alone, so it also clears what a crash half-way left.
        """
        blueprints.check_name(name)
        check_root()
        with state.exclusive():
            everything = _all_labs()
            everything.child(name).remove()
            network.remove(f"ssi-{name}")
            state.remove(name)
            if not everything.children():
                everything.remove()

    @property
    def hosts(self) -> Sequence[Host]:
        """Its hosts, n1 first."""
        return tuple(self.host(name) for name in self.blueprint.hosts)

    def host(self, name: str) -> Host:
        """The host of that name.

        Raises:
            LabHostUnknownError: The lab has none.
        """
        self.blueprint.check_host(name)
        return Host(
            name=name,
            blueprint=self.blueprint,
            cgroup=_all_labs().child(self.name).child(name),
            boot_again=self._boot_again,
        )

    def down(self) -> None:
        """Nothing of the lab exists any more. Twice is harmless."""
        Lab.remove(self.name)

    def _raise_up(self) -> None:
        """The bridge, the identities and every host exist and run; the lock is held."""
        blueprint, folder = self.blueprint, state.folder_of(self.name)
        dead = [host for host in self.hosts if not host.whole]
        running = [host for host in self.hosts if host not in dead]
        network.ensure_bridge(blueprint)
        network.enslave(blueprint, [host.name for host in running])
        write_identities(blueprint, folder)
        for host in running:
            share_names(blueprint, folder, host.root)
        for host in dead:
            host.kill()  # what is left of a boot that a crash interrupted
            share_names(blueprint, folder, folder / host.name / "upper")
        boot(blueprint, [_plan(host, folder) for host in dead])

    def _boot_again(self, name: str) -> None:
        with state.exclusive():
            host = self.host(name)
            if not host.whole:
                host.kill()
                boot(self.blueprint, [_plan(host, state.folder_of(self.name))])


def _agree(
    name: str, size: int, asked: IPv4Network | None, image: Path, init: Init | None
) -> Blueprint:
    """The blueprint that fits both the request and what exists."""
    existing = state.load(name)
    if existing is None:
        taken = [*network.networks_in_use(), *state.networks_reserved()]
        if asked is None:
            asked = blueprints.choose_subnet(taken)
        blueprints.check_subnet_free(asked, taken)
        return Blueprint(name=name, subnet=asked, size=size, image=image, init=init or "own")
    if asked not in (None, existing.subnet):
        raise LabConflictError(
            text=f"the lab {name!r} is up on {existing.subnet}, not on {asked}",
            hint=f"`ssi lab down --name {name}` first, or choose another --name",
        )
    if init not in (None, existing.init):
        raise LabConflictError(
            text=f"the hosts of the lab {name!r} have {_INIT_NAMES[existing.init]} as pid 1",
            hint=f"`ssi lab down --name {name}` first, or choose another --name",
        )
    kept = existing.image if existing.image.is_dir() else image
    return replace(existing, size=max(size, existing.size), image=kept)


def _plan(host: Host, folder: Path) -> Plan:
    return Plan(host=host.name, address=host.address, cgroup=host.cgroup, folder=folder / host.name)


def _all_labs() -> Cgroup:
    """The cgroup that holds those of all labs; it exists while there is one."""
    mounted = hierarchy()
    if mounted is None:
        raise LabUnavailableError(
            missing=["cgroup v2 is not mounted"], remedy="mount -t cgroup2 none /sys/fs/cgroup"
        )
    return Cgroup(mounted / "ssi-lab")


def _ignore(_: str) -> None:
    """Where nobody asked for progress."""
