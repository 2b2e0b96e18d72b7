from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from ssi.lab.blueprint import (
    LARGEST_SIZE,
    Blueprint,
    check_name,
    check_size,
    check_subnet_free,
    choose_subnet,
    parse_subnet,
)
from ssi.lab.errors import LabConflictError, LabHostUnknownError
from ssi.model.errors import UsageError


def blueprint(
    *, name: str = "lab", subnet: str = "10.99.0.0/24", size: int = 3, image: str = "/image"
) -> Blueprint:
    return Blueprint(name=name, subnet=IPv4Network(subnet), size=size, image=Path(image))


def test_hosts_are_numbered_from_one_and_have_addresses_from_eleven() -> None:
    lab = blueprint()
    assert {host: str(lab.address(host)) for host in lab.hosts} == {
        "n1": "10.99.0.11",
        "n2": "10.99.0.12",
        "n3": "10.99.0.13",
    }
    assert str(lab.bridge_address) == "10.99.0.1"


def test_the_longest_interface_name_fits_the_kernel() -> None:
    lab = blueprint(name="a2345678", size=LARGEST_SIZE)
    assert len(lab.port(lab.hosts[-1])) == 15


@pytest.mark.parametrize("name", ["", "Lab", "9lab", "a.b", "a/b", "..", "a23456789", "lab\n"])
def test_a_name_that_could_not_name_a_folder_or_an_interface_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a lab"):
        check_name(name)


@pytest.mark.parametrize("size", [-1, 0, LARGEST_SIZE + 1])
def test_a_size_outside_the_limits_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match=f"cannot have {size} hosts"):
        check_size(size)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "is not an IPv4 subnet"),
        ("10.99.7.5/24", "has host bits set"),
        ("10.99.7.0/33", "is not an IPv4 subnet"),
        ("fd00::/64", "is not an IPv4 subnet"),
        ("8.8.8.0/24", "is no private network"),
        ("127.0.0.0/8", "is no private network"),
        ("169.254.0.0/16", "is no private network"),
    ],
)
def test_a_subnet_that_cannot_be_used_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_subnet(text)


def test_a_subnet_too_small_for_the_hosts_is_refused() -> None:
    assert blueprint(subnet="10.99.0.0/28", size=4).size == 4
    with pytest.raises(UsageError, match="too small for 5 hosts"):
        blueprint(subnet="10.99.0.0/28", size=5)


def test_the_first_subnet_that_overlaps_nothing_is_chosen() -> None:
    taken = ["10.99.0.0/24", "10.99.1.128/25", "192.168.0.0/16", "10.99.4.0/24"]
    assert choose_subnet([]) == IPv4Network("10.99.0.0/24")
    assert choose_subnet(map(IPv4Network, taken)) == IPv4Network("10.99.2.0/24")


def test_a_full_machine_says_that_no_subnet_is_left() -> None:
    with pytest.raises(LabConflictError, match=r"every /24 of 10\.99\.0\.0/16"):
        choose_subnet([IPv4Network("10.0.0.0/8")])


def test_a_subnet_that_the_machine_uses_is_refused() -> None:
    with pytest.raises(LabConflictError, match=r"overlaps 10\.0\.0\.0/8"):
        check_subnet_free(IPv4Network("10.1.2.0/24"), [IPv4Network("10.0.0.0/8")])


@pytest.mark.parametrize("host", ["n0", "n4", "n01", "web", ""])
def test_an_unknown_host_is_named_with_those_that_exist(host: str) -> None:
    with pytest.raises(LabHostUnknownError, match="its hosts are n1 to n3"):
        blueprint().check_host(host)
