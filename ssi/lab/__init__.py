"""Throwaway Linux hosts on this machine, to try ssi on and to test it with.

A :class:`Lab` is a few :class:`Host` objects with namespaces of their own (mount, pid, network,
uts, ipc, cgroup), over one cached Debian 13 root, each with a real sshd, joined by a bridge.
``blueprint`` says what a lab is, ``image`` makes the Debian root, ``identity`` the keys and names;
``boot`` with ``boot.sh`` and ``init.py`` brings hosts up; ``network`` and ``cgroup`` hold what the
kernel keeps of them, which is also how they are found again and removed after any crash.
"""

from ssi.lab.host import Condition, Host
from ssi.lab.lab import Lab

__all__ = ["Condition", "Host", "Lab"]
