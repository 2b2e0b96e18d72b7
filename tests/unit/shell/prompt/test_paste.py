from __future__ import annotations

from shell.prompt import paste


def test_a_paste_loses_what_could_act_and_the_newline_at_its_end() -> None:
    assert paste.cleaned("ls\r\nrm x\r\n") == "ls\nrm x"
    assert paste.cleaned("a\x1b[201~b\x07\x00\tc") == "a[201~b\tc"


def test_empty_rows_are_not_counted() -> None:
    assert paste.rows("a\n\n  \nb") == 2
