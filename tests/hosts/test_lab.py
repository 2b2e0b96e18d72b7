"""The lab itself: its hosts are real enough to test everything else on, and nothing is left."""

from __future__ import annotations

from ssi.lab import Lab


def test_each_host_has_its_own_name_and_both_users_can_log_in(lab: Lab) -> None:
    for host in lab.hosts:
        for user in ("root", "ada"):
            done = host.run("sh", "-c", "hostname; id -un", user=user)
            assert done.stdout.decode().split() == [host.name, user], done.stderr


def test_hosts_reach_each_other_by_name_over_ssh(lab: Lab) -> None:
    done = lab.host("n1").run("ssh", "-o", "BatchMode=yes", "n2", "hostname")
    assert done.stdout == b"n2\n", done.stderr
