import os

from nodeagent.mechanism import login
from nodeagent.mechanism.login import LoginAccount

ADA = LoginAccount(
    user="ada", uid=1000, gid=1000, groups=(27, 1000), home="/home/ada", shell="/bin/zsh"
)


def test_root_is_found_with_its_groups() -> None:
    account = login.find_account("root")
    assert account is not None
    assert (account.uid, account.gid, account.home) == (0, 0, "/root")
    assert 0 in account.groups


def test_nobody_of_that_name_is_none() -> None:
    assert login.find_account("no-such-user-here") is None


def test_environment_is_that_of_a_login() -> None:
    environment = login.environment(ADA, {})
    assert environment["HOME"] == "/home/ada"
    assert environment["USER"] == environment["LOGNAME"] == "ada"
    assert environment["SHELL"] == "/bin/zsh"
    assert "sbin" not in environment["PATH"]


def test_nothing_of_the_agents_own_environment_leaks() -> None:
    os.environ["SSI_TEST_SECRET"] = "x"
    try:
        assert "SSI_TEST_SECRET" not in login.environment(ADA, {})
    finally:
        del os.environ["SSI_TEST_SECRET"]


def test_what_the_user_adds_wins() -> None:
    assert login.environment(ADA, {"PATH": "/mine"})["PATH"] == "/mine"


def test_shim_gets_all_groups() -> None:
    assert ADA.for_shim().groups == (27, 1000)
