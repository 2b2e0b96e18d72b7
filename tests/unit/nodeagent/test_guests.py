"""Keys that may ask the file server for a while, as agent and server see them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from nodeagent.guests import MAX_GUESTS_PER_USER, MAX_LEASE_S, Guests, TooManyGuests

KEY = "k" * 40


class Both:
    """One file of guests, and the time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now_s = 1000.0

    def guests(self) -> Guests:
        return Guests(self.path, lambda: self.now_s)


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path / "guests")


def test_guest_is_known_to_the_server_at_once_and_until_the_lease_ends(both: Both) -> None:
    agent, server = both.guests(), both.guests()
    assert server.user_of(KEY) == ""
    agent.allow(KEY, "ada", 60)
    assert server.user_of(KEY) == "ada"
    both.now_s += 50
    agent.allow(KEY, "ada", 60)
    both.now_s += 50
    assert server.user_of(KEY) == "ada"
    both.now_s += 10
    assert server.user_of(KEY) == ""


def test_guest_that_leaves_is_unknown_when_the_server_looks_again(both: Both) -> None:
    agent = both.guests()
    agent.allow(KEY, "ada", 60)
    agent.allow(KEY, "ada", 0)
    assert both.guests().user_of(KEY) == ""


def test_key_of_another_users_guest_is_not_taken_over(both: Both) -> None:
    agent = both.guests()
    agent.allow(KEY, "ada", 60)
    with pytest.raises(PermissionError):
        agent.allow(KEY, "eve", 60)
    with pytest.raises(PermissionError):
        agent.allow(KEY, "eve", 0)
    assert agent.user_of(KEY) == "ada"


def test_user_has_so_many_guests_and_no_more(both: Both) -> None:
    agent = both.guests()
    for number in range(MAX_GUESTS_PER_USER):
        agent.allow(f"{number:040}", "ada", 60)
    with pytest.raises(TooManyGuests):
        agent.allow(KEY, "ada", 60)
    agent.allow(KEY, "eve", 1e9)
    both.now_s += MAX_LEASE_S
    assert agent.user_of(KEY) == "", "no lease is longer than is allowed"
    agent.allow(KEY, "ada", 60)


def test_file_is_private_and_a_damaged_one_lets_nobody_in(both: Both) -> None:
    both.guests().allow(KEY, "ada", 60)
    assert stat.S_IMODE(both.path.stat().st_mode) == 0o600
    both.path.write_bytes(b"{")
    assert both.guests().user_of(KEY) == ""
