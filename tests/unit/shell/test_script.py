"""Scripts: which bash this process becomes."""

from __future__ import annotations

from pathlib import Path

from shell.script import bash_in


def test_a_bash_that_is_a_script_is_passed_over_for_it_may_start_us(tmp_path: Path) -> None:
    for name, content, mode in (
        ("ours", b"#!/usr/bin/env ssi\n", 0o755),
        ("data", b"\x7fELF", 0o644),
        ("real", b"\x7fELF", 0o755),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bash").write_bytes(content)
        (tmp_path / name / "bash").chmod(mode)
    folders = [f"{tmp_path}/{name}" for name in ("none", "ours", "data", "real")]
    assert bash_in(":".join(folders)) == f"{tmp_path}/real/bash"
    assert bash_in(":".join(folders[:3])) == "bash"  # and the kernel says what is wrong
