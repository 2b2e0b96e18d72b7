"""Names of processes: the table of what a number means, and what is none."""

from __future__ import annotations

import pytest

from ssi.model.gpid import (
    GpidInvalid,
    GpidParts,
    gpid_of_host_process,
    gpid_of_job_process,
    parse_gpid,
    parts_of,
)


@pytest.mark.parametrize(
    ("gpid", "parts"),
    [
        (10000001, GpidParts(node_number=1, is_job=False, local=1)),
        (30004321, GpidParts(node_number=3, is_job=False, local=4321)),
        (14194304, GpidParts(node_number=1, is_job=False, local=4194304)),
        (14999999, GpidParts(node_number=1, is_job=False, local=4999999)),
        (15000001, GpidParts(node_number=1, is_job=True, local=1)),
        (35000017, GpidParts(node_number=3, is_job=True, local=17)),
        (19999999, GpidParts(node_number=1, is_job=True, local=4999999)),
        (2139999999, GpidParts(node_number=213, is_job=True, local=4999999)),
        (10_000_000_000_001, GpidParts(node_number=1_000_000, is_job=False, local=1)),
    ],
)
def test_gpid_is_read_as_its_node_and_process(gpid: int, parts: GpidParts) -> None:
    assert parts_of(gpid) == parts
    assert parse_gpid(str(gpid)) == gpid
    make = gpid_of_job_process if parts.is_job else gpid_of_host_process
    assert make(parts.node_number, parts.local) == gpid


@pytest.mark.parametrize("number", [-35000017, -1, 0, 1, 4321, 9999999, 10000000, 15000000])
def test_number_that_names_no_process_is_refused(number: int) -> None:
    with pytest.raises(GpidInvalid, match=str(number)):
        parts_of(number)


@pytest.mark.parametrize(
    "text",
    ["", " 10000001", "10000001 ", "+10000001", "-10000001", "1e7", "0x989681", "ten", "10_000_001",
     "\uff110000001", "\u0663\u0660\u0660\u0660\u0664\u0663\u0662\u0661", "\u00b2",
     "1" * 19, "9" * 5000, "10000001\n", "%1"],
)  # fmt: skip
def test_text_that_is_no_gpid_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(GpidInvalid) as caught:
        parse_gpid(text)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert len(caught.value.text) <= 40


def test_node_213_is_the_last_whose_gpids_fit_into_31_bits() -> None:
    assert gpid_of_job_process(213, 4_999_999) < 2**31
    assert gpid_of_job_process(214, 4_999_999) > 2**31


@pytest.mark.parametrize(("node", "pid"), [(0, 1), (1, 0), (1, 5_000_000)])
def test_host_process_out_of_range_is_a_bug(node: int, pid: int) -> None:
    with pytest.raises(AssertionError):
        gpid_of_host_process(node, pid)


@pytest.mark.parametrize(("node", "sequence"), [(0, 1), (1, 0), (1, 5_000_000)])
def test_job_process_out_of_range_is_a_bug(node: int, sequence: int) -> None:
    with pytest.raises(AssertionError):
        gpid_of_job_process(node, sequence)
