"""Tables of nvidia-smi pmon, of several versions; no real GPU told them to us."""

from __future__ import annotations

from pathlib import Path

from nodeagent.mechanism.nvidiasmi import NvidiaSmi, parse_pmon
from ssi.model.counters import GpuUse

NEW = """# gpu         pid   type     sm    mem    enc    dec    jpg    ofa     fb   ccpm    command
# Idx           #    C/G      %      %      %      %      %      %     MB     MB    name
    0    2094147     C     92     52      -      -      -      -  90480      0    sglang::schedul
    0    2094147     C     91     52      -      -      -      -  90480      0    sglang::schedul
    1    2094147     C      8     50      -      -      -      -     20      0    sglang::schedul
    2     377306     C      -      -      -      -      -      -    550      0    python3
    3          -     -      -      -      -      -      -      -      -      -    -
"""
OLD = """# gpu     pid  type    sm   mem   enc   dec   command
# Idx       #   C/G     %     %     %     %   name
    0   20131     C    15     8     -     -   python train.py
"""


def test_columns_are_found_by_their_titles_and_gpus_are_added_up() -> None:
    assert parse_pmon(NEW) == {
        2094147: GpuUse(100.0, (90480 + 20) << 20),
        377306: GpuUse(0.0, 550 << 20),
    }
    assert parse_pmon(OLD) == {20131: GpuUse(15.0, 0)}
    assert parse_pmon("No devices were found\n") == {}


def test_what_it_said_last_is_known_and_it_is_never_waited_for(tmp_path: Path) -> None:
    table, gate = tmp_path / "table", tmp_path / "gate"
    table.write_text(OLD)
    script = f'until [ -e "{gate}" ]; do sleep 0.01; done; cat "{table}"'
    device = tmp_path / "nvidiactl"
    smi = NvidiaSmi(["sh", "-c", script], device)
    assert not smi.is_there()
    device.touch()
    assert smi.is_there()
    assert smi.read() == {}, "it has only begun"
    gate.touch()
    assert smi._run is not None
    smi._run.wait(60)
    assert smi.read() == {20131: GpuUse(15.0, 0)}
