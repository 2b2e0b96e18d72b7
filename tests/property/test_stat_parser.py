"""The parser of /proc/PID/stat against any name that a process can give itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nodeagent.mechanism.procfs import parse_namespace_pids, parse_stat

NUMBERS = st.integers(min_value=0, max_value=2**64 - 1)


@given(name=st.binary(max_size=64), numbers=st.lists(NUMBERS, min_size=49, max_size=60))
def test_any_name_leaves_the_fields_after_it_in_place(name: bytes, numbers: list[int]) -> None:
    line = b"123 (%s) R " % name + b" ".join(b"%d" % number for number in numbers) + b"\n"
    stat = parse_stat(line)
    assert stat.name == name
    assert stat.state == "R"
    assert stat.ppid == numbers[0]
    assert stat.start_ticks == numbers[18]
    assert stat.start_stack == numbers[24]


@given(st.binary(max_size=400))
def test_any_other_bytes_are_refused_with_a_value_error_only(data: bytes) -> None:
    try:
        parse_stat(data)
    except ValueError:
        return


@given(st.lists(st.integers(min_value=1, max_value=2**22), min_size=1, max_size=8))
def test_pids_of_all_namespaces_are_read_back(pids: list[int]) -> None:
    line = "\t".join(str(pid) for pid in pids)
    status = f"Name:\tx\nPid:\t1\nNSpid:\t{line}\nNSpgid:\t9\n".encode()
    assert parse_namespace_pids(status) == tuple(pids)
