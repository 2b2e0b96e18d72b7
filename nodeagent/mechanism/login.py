"""As whom a job runs: the account that the node has for a user, and its login environment."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nodeagent.shim.messages import Account

ROOT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAccount:
    """An account of this node, as passwd(5) and group(5) have it."""

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str

    def for_shim(self) -> Account:
        """What a shim needs of it."""
        return Account(user=self.user, uid=self.uid, gid=self.gid, groups=self.groups)


def find_account(user: str) -> LoginAccount | None:
    """The account of that name; None where there is none."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return None
    return LoginAccount(
        user=user,
        uid=entry.pw_uid,
        gid=entry.pw_gid,
        groups=tuple(sorted(os.getgrouplist(user, entry.pw_gid))),
        home=entry.pw_dir or "/",
        shell=entry.pw_shell or "/bin/sh",
    )


def environment(account: LoginAccount, added: Mapping[str, str]) -> dict[str, str]:
    """What login(1) would set, with ``added`` on top or in its place."""
    system = {
        "HOME": account.home,
        "USER": account.user,
        "LOGNAME": account.user,
        "SHELL": account.shell,
        "PATH": ROOT_PATH if account.uid == 0 else USER_PATH,
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }
    return {**system, **added}


def is_root() -> bool:
    """Whether this agent may make namespaces and become other users."""
    return os.geteuid() == 0


def innermost_pid(pid: int) -> int:
    """The pid that a process has in its own pid namespace; ``pid`` itself where it is gone.

    Source: proc_pid_status(5), NSpid.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return pid
    for line in status.splitlines():
        if line.startswith(b"NSpid:"):
            return int(line.split()[-1])
    return pid
