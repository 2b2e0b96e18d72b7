"""Any gpid is its parts, in every notation that it crosses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssi.model.gpid import (
    GpidInvalid,
    gpid_of_host_process,
    gpid_of_job_process,
    parse_gpid,
    parts_of,
)

NODES = st.integers(min_value=1, max_value=10**9)
LOCALS = st.integers(min_value=1, max_value=4_999_999)


@given(NODES, LOCALS, st.booleans())
def test_gpid_and_parts_are_one(node: int, local: int, is_job: bool) -> None:
    gpid = (gpid_of_job_process if is_job else gpid_of_host_process)(node, local)
    parts = parts_of(gpid)
    assert (parts.node_number, parts.local, parts.is_job) == (node, local, is_job)
    assert parse_gpid(str(gpid)) == gpid


@given(NODES, LOCALS, NODES, LOCALS)
def test_no_two_processes_share_a_gpid(node: int, local: int, other: int, another: int) -> None:
    made = {
        gpid_of_host_process(node, local),
        gpid_of_job_process(node, local),
        gpid_of_host_process(other, another),
        gpid_of_job_process(other, another),
    }
    assert len(made) == (2 if (node, local) == (other, another) else 4)


@given(st.text(max_size=30))
def test_any_text_is_a_gpid_or_refused(text: str) -> None:
    try:
        gpid = parse_gpid(text)
    except GpidInvalid:
        return
    assert parts_of(gpid).node_number >= 1
    assert int(text) == gpid
