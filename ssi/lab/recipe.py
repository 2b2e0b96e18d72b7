"""What the hosts' Debian 13 root is made of, as text for mmdebstrap.

CRIU comes from Debian's testing, because the one of Debian 13 cannot dump a process with a socket
on Linux 6.16 and later. A pin keeps everything else at Debian 13.

Source: mmdebstrap(1), apt_preferences(5), sshd_config(5).
"""

from __future__ import annotations

import hashlib

PACKAGES = (
    "python3",
    "systemd",
    "openssh-server",
    "criu",
    "fuse3",
    "mount",
    "sudo",
    "iproute2",
    "iputils-ping",
    "procps",
    "xz-utils",
    "less",
    "vim-tiny",
    "nano",
    "htop",
    "tmux",
    "nftables",
    "git",
    "make",
    "sqlite3",
    "sshfs",
    "ca-certificates",
)

SOURCES = """\
deb http://deb.debian.org/debian trixie main
deb [check-valid-until=no] http://deb.debian.org/debian forky main
"""
"""A mirror may lag behind testing, whose Release file is good for a week only."""

PREFERENCES = """\
Package: *
Pin: release n=forky
Pin-Priority: 100

Package: criu libcompel1 libnet9 libnl-*
Pin: release n=forky
Pin-Priority: 990
"""

SSHD_CONFIG = """\
HostKey /etc/ssh/ssh_host_ed25519_key
SetEnv LANG=C.UTF-8
UseDNS no
PrintMotd no
# A test logs in wrongly on purpose, and many at once.
PerSourcePenalties no
MaxStartups 200
MaxSessions 200
"""

PREPARE = f"""\
mkdir -p "$1/etc/apt/preferences.d" "$1/etc/ssh/sshd_config.d"
cat >"$1/etc/apt/preferences.d/criu" <<'END'
{PREFERENCES}END
cat >"$1/etc/ssh/sshd_config.d/lab.conf" <<'END'
{SSHD_CONFIG}END
"""

CUSTOMIZE = """\
rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/machine-id" "$1/etc/motd"
: >"$1/etc/resolv.conf"
echo LANG=C.UTF-8 >"$1/etc/default/locale"
chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash --password '*' ada
mkdir -p "$1/usr/lib/lab"
"""

DROPPED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")


def recipe_hash() -> str:
    """Twelve characters that change when the root would."""
    recipe = "\n".join([*PACKAGES, SOURCES, PREPARE, CUSTOMIZE, *DROPPED])
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]
