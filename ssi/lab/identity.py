"""Who is who in a lab: keys, known hosts, names, and the ssh configuration that ties them together.

The pure functions render files; :func:`write_identities` writes them. The user's ``~/.ssh`` is
neither read nor written.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from ssi.lab.blueprint import Blueprint
from ssi.lab.command import run_step

USERS = {"root": (0, "root"), "ada": (1000, "home/ada")}
"""Who can log in with the lab's key: the uid, and the home below the host's root."""


FOLDERS = ("etc", "etc/ssh", "usr", "usr/lib", "usr/lib/lab", "home")
"""Those of a host's first files, outermost first."""


def ssh_config(blueprint: Blueprint, folder: Path) -> str:
    """The OpenSSH client configuration for the lab's hosts, for ``ssh -F``."""
    common = f"""\
Host *
    User root
    Port 22
    IdentityFile {folder}/key
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    ConnectTimeout 10
"""
    hosts = [f"Host {host}\n    HostName {blueprint.address(host)}\n" for host in blueprint.hosts]
    return "\n".join([*hosts, common])


def known_hosts(blueprint: Blueprint, public_keys: Mapping[str, str]) -> str:
    """One line per host: its name and address with its key, ``ssh-ed25519 AAAA...``."""
    return "".join(
        f"{host},{blueprint.address(host)} {public_keys[host]}\n" for host in blueprint.hosts
    )


def hosts_file(blueprint: Blueprint) -> str:
    """The ``/etc/hosts`` of every host of the lab; ``lab`` is the machine itself."""
    lines = ["127.0.0.1 localhost", "::1 localhost", f"{blueprint.bridge_address} lab"]
    lines += [f"{blueprint.address(host)} {host}" for host in blueprint.hosts]
    return "".join(f"{line}\n" for line in lines)


def share_names(blueprint: Blueprint, folder: Path, root: Path) -> None:
    """The host whose files are below ``root`` knows the names and the keys of all of the lab."""
    _write(root / "etc/hosts", hosts_file(blueprint))
    _write(root / "etc/ssh/ssh_known_hosts", (folder / "known_hosts").read_text())


def write_identities(blueprint: Blueprint, folder: Path) -> None:
    """The lab's key, each new host's first files, and the ssh files for all of them exist."""
    key = folder / "key"
    _make_key(key, f"ssi-lab-{blueprint.name}")
    for host in blueprint.hosts:
        _write_disk(folder / host, host, key)
    keys = {
        host: _public_key(folder / host / "upper/etc/ssh/ssh_host_ed25519_key")
        for host in blueprint.hosts
    }
    (folder / "known_hosts").write_text(known_hosts(blueprint, keys))
    (folder / "ssh_config").write_text(ssh_config(blueprint, folder))


def _write_disk(disk: Path, host: str, key: Path) -> None:
    """What makes the host itself lies in its overlay's upper layer, before its first boot.

    ``born`` is written last: a disk that has it belongs to its host, and is not touched again.
    """
    born = disk / "born"
    if born.exists():
        return
    if disk.exists():
        shutil.rmtree(disk)
    upper = disk / "upper"
    for folder in (disk, disk / "work", disk / "root", upper, *(upper / each for each in FOLDERS)):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # they become the host's own, whatever the caller's umask
    _make_key(upper / "etc/ssh/ssh_host_ed25519_key", host)
    _write(upper / "etc/hostname", f"{host}\n")
    _write(upper / "etc/machine-id", f"{secrets.token_hex(16)}\n")
    program = resources.files("ssi.lab").joinpath("init.py").read_text()
    _write(upper / "usr/lib/lab/init.py", program)
    for uid, home in USERS.values():
        _authorize(upper / home, uid, key)
    born.touch()


def _authorize(home: Path, uid: int, key: Path) -> None:
    """The home's owner may log in from the machine and, with the same key, go on to any host."""
    folder = home / ".ssh"
    folder.mkdir(parents=True)
    (folder / "authorized_keys").write_text(f"{_public_key(key)}\n")
    shutil.copyfile(key, folder / "id_ed25519")
    for path in (home, folder, *folder.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
        shutil.chown(path, uid, uid)


def _write(path: Path, text: str) -> None:
    """Everybody on the host may read the file, whatever the caller's umask."""
    path.write_text(text)
    path.chmod(0o644)


def _make_key(path: Path, comment: str) -> None:
    if not path.with_name(f"{path.name}.pub").exists():  # which is written last
        path.unlink(missing_ok=True)
        run_step(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def _public_key(path: Path) -> str:
    """Algorithm and key, without the comment."""
    return " ".join(path.with_name(f"{path.name}.pub").read_text().split()[:2])
