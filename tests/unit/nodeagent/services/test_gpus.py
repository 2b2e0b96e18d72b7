"""A node without GPUs, which is what tests have."""

from __future__ import annotations

import asyncio

import pytest

from nodeagent.mechanism.drm import parse_client
from nodeagent.services import gpus
from nodeagent.services.gpus import GpuWatch
from ssi.model.counters import ProcessGpu
from tests.unit.nodeagent.mechanism.test_drm import AMDGPU
from tests.unit.view.samples import process


def test_no_file_is_read_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "kinds_of_gpus", lambda: ())
    monkeypatch.setattr(gpus, "read_clients", None)
    assert asyncio.run(GpuWatch().read([process()])) == ()


def test_processes_that_have_a_gpu_open_are_told_by_gpid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[set[int]] = []

    def read(pids: set[int]) -> object:
        asked.append(set(pids))
        return {42: [parse_client(AMDGPU)]}

    monkeypatch.setattr(gpus, "kinds_of_gpus", lambda: ("drm",))
    monkeypatch.setattr(gpus, "read_clients", read)
    watch = GpuWatch()
    rows = [process(gpid=10000042, pid=42), process(gpid=10000043, pid=43)]
    told = (ProcessGpu(gpid=10000042, percent=0.0, memory_bytes=525312 << 10),)
    assert asyncio.run(watch.read(rows)) == told
    asyncio.run(watch.read(rows))
    assert asked == [{42, 43}, {42}], "all are searched now and then, and holders at each look"
