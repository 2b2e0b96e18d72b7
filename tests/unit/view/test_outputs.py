"""What many nodes wrote, line by line and folded."""

from __future__ import annotations

import pytest

from ssi.model.noderun import NodeRun
from ssi.protocol.refusals import NodeDown
from ssi.view.outputs import LONGEST_LINE_BYTES, Lines, fold_equal, folded_text
from ssi.view.runs import run_object, summary_of


def test_lines_are_whole_however_the_bytes_come() -> None:
    lines = Lines(b"n1: ")
    assert lines.take(b"on") == b""
    assert lines.take(b"e\ntwo\n\nthr") == b"n1: one\nn1: two\nn1: \n"
    assert lines.take(b"ee") == b""
    assert lines.end() == b"n1: three\n"
    assert lines.end() == b""


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    lines = Lines(b"> ")
    shown = lines.take(b"x" * LONGEST_LINE_BYTES)
    assert shown == b"> " + b"x" * LONGEST_LINE_BYTES + b"\n"
    assert lines.end() == b""


def test_equal_outputs_stand_below_their_nodes_and_silent_nodes_are_left_out() -> None:
    outputs = {"n1": b"a\n", "n2": b"b", "n3": b"a\n", "n4": b""}
    assert fold_equal(outputs) == [(["n1", "n3"], b"a\n"), (["n2"], b"b")]
    rule = "-" * 15
    expected = f"{rule}\nn[1,3] (2)\n{rule}\na\n{rule}\nn2\n{rule}\nb\n"
    assert folded_text(outputs, colour=False) == expected.encode()


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ([NodeRun(node="n1", exit_status=0)], "n1 ok; 1 node in 1.5 s"),
        (
            [
                NodeRun(node="n3", exit_status=137),
                NodeRun(node="n1", exit_status=0),
                NodeRun(node="n2", exit_status=0),
                NodeRun(node="n4", exit_status=255),
                NodeRun(node="n5", error=NodeDown(node="n5", silent_s=1.0)),
            ],
            "n[1-2] ok; n3 ended by SIGKILL; n4 exited with 255; n5 failed (node-down); "
            "5 nodes in 1.5 s",
        ),
        ([NodeRun(node="n1", gpid=15000001)], "n1 started; 1 node in 1.5 s"),
    ],
)
def test_a_summary_has_every_node_by_how_it_went(runs: list[NodeRun], text: str) -> None:
    assert summary_of(runs, 1.5) == text


def test_bytes_that_are_no_text_do_not_break_an_object() -> None:
    run = NodeRun(node="n1", gpid=1, exit_status=0)
    shown = run_object(run, status=0, stdout=b"\xff\x00", stderr=b"", truncated=False)
    assert shown["stdout"] == "\ufffd\x00"
