"""Wheels for other machines."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ssi.deploy.platform import Platform
from ssi.deploy.wheels import WheelStore, explain, find_wheel, pip_arguments

DEBIAN_13 = Platform(python=(3, 13), abi="cp313", arch="x86_64", libc="glibc", libc_version=(2, 41))
ALPINE = Platform(python=(3, 12), abi="cp312", arch="aarch64", libc="musl", libc_version=(1, 2))


def put_wheel(shelf: Path, name: str) -> Path:
    shelf.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(shelf / name, "w") as archive:
        archive.writestr("x.py", "")
    return shelf / name


def test_glibc_takes_wheels_of_itself_and_all_older_ones() -> None:
    tags = DEBIAN_13.platform_tags()
    assert tags[0] == "manylinux_2_41_x86_64"
    assert {"manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux1_x86_64"} <= set(tags)
    assert "manylinux_2_42_x86_64" not in tags


def test_musl_takes_only_wheels_of_musl() -> None:
    tags = ALPINE.platform_tags()
    assert tags == ["musllinux_1_2_aarch64", "musllinux_1_1_aarch64", "musllinux_1_0_aarch64"]


def test_hosts_of_another_kind_have_another_shelf() -> None:
    assert DEBIAN_13.key != ALPINE.key


def test_pip_is_asked_for_wheels_only_and_for_exact_versions() -> None:
    arguments = pip_arguments({"pyzmq": "27.3.0"}, DEBIAN_13, Path("/d"))
    assert "--only-binary=:all:" in arguments
    assert "--no-deps" in arguments
    assert arguments[-1] == "pyzmq==27.3.0"
    assert arguments[arguments.index("--python-version") + 1] == "3.13"
    assert not [each for each in arguments if "index" in each]


def test_a_wheel_that_is_here_is_used_without_any_network(tmp_path: Path) -> None:
    wheel = put_wheel(tmp_path / DEBIAN_13.key, "typing_x-1.0-py3-none-any.whl")
    assert WheelStore(tmp_path).get({"typing-x": "1.0"}, DEBIAN_13) == [wheel]


def test_a_wheel_that_is_cut_short_is_not_used(tmp_path: Path) -> None:
    wheel = put_wheel(tmp_path, "a-1.0-py3-none-any.whl")
    assert find_wheel(tmp_path, "a", "1.0") == wheel
    wheel.write_bytes(wheel.read_bytes()[:20])
    assert find_wheel(tmp_path, "a", "1.0") is None


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("ERROR: No matching distribution found for msgspec==0.22.0", "no msgspec==0.22.0 built"),
        ("WARNING: Retrying ... NewConnectionError(...)", "cannot be reached"),
        ("python: No module named pip", "no pip"),
        ("https://user:secret@index.example/simple broke", "pip failed"),
    ],
)
def test_why_pip_failed_is_told_without_its_addresses(complaint: str, reason: str) -> None:
    assert reason in explain(complaint)
    assert "secret" not in explain(complaint)
