"""Use of GPUs, in the words of their drivers. No real GPU told any of this to us.

The texts are those of the kernel's gpu/xe/xe-drm-usage-stats, gpu/panfrost, of proc_pid_fdinfo(5)
for i915, and of the changes that brought it to msm and amdgpu, shortened.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from nodeagent.mechanism.drm import DrmClient, Engine, has_devices, parse_client, read_clients

I915 = """pos:\t0
flags:\t02100002
mnt_id:\t26
ino:\t284
drm-driver:\ti915
drm-client-id:\t39
drm-pdev:\t0000:00:02.0
drm-total-system0:\t6044 KiB
drm-shared-system0:\t0
drm-active-system0:\t0
drm-resident-system0:\t6044 KiB
drm-purgeable-system0:\t1688 KiB
drm-total-stolen-system0:\t0
drm-resident-stolen-system0:\t0
drm-engine-render:\t346249 ns
drm-engine-copy:\t0 ns
drm-engine-video:\t7 ns
drm-engine-capacity-video:\t2
drm-engine-video-enhance:\t0 ns
"""
XE = """pos:\t0
drm-driver:\txe
drm-client-id:\t3
drm-pdev:\t0000:03:00.0
drm-total-system:\t0
drm-resident-system:\t0
drm-total-gtt:\t192 KiB
drm-resident-gtt:\t192 KiB
drm-total-vram0:\t23992 KiB
drm-shared-vram0:\t16 MiB
drm-resident-vram0:\t23992 KiB
drm-cycles-rcs:\t28257900
drm-total-cycles-rcs:\t7655183225
drm-cycles-vcs:\t0
drm-total-cycles-vcs:\t7655183225
drm-engine-capacity-vcs:\t2
"""
PANFROST = """drm-driver:\tpanfrost
drm-client-id:\t14
drm-engine-fragment:\t1846584880 ns
drm-cycles-fragment:\t1424359409
drm-maxfreq-fragment:\t799999987 Hz
drm-curfreq-fragment:\t799999987 Hz
drm-engine-vertex-tiler:\t71932239 ns
drm-total-memory:\t290 MiB
drm-shared-memory:\t0 MiB
drm-resident-memory:\t36496 KiB
"""
AMDGPU = """pasid:\t32773
drm-driver:\tamdgpu
drm-pdev:\t0000:c5:00.0
drm-client-id:\t9
drm-memory-vram:\t524288 KiB
drm-memory-gtt: \t1024 KiB
drm-memory-cpu: \t0 KiB
drm-engine-gfx:\t1000000000 ns
drm-engine-compute:\t500000000 ns
"""
MSM = """drm-driver:\tmsm
drm-client-id:\t7
drm-engine-gpu:\t1734371319 ns
drm-cycles-gpu:\t1153645024
drm-maxfreq-gpu:\t800000000 Hz
"""
NOUVEAU = """drm-driver:\tnouveau
drm-client-id:\t5
drm-pdev:\t0000:01:00.0
drm-total-vram:\t8 MiB
drm-shared-vram:\t0
"""
ALL_CYCLES = 7655183225


@pytest.mark.parametrize(
    ("text", "client"),
    [
        (
            I915,
            DrmClient(
                "0000:00:02.0",
                39,
                {
                    "render": Engine(346249),
                    "copy": Engine(0),
                    "video": Engine(7, units=2),
                    "video-enhance": Engine(0),
                },
                6044 << 10,
            ),
        ),
        (
            XE,
            DrmClient(
                "0000:03:00.0",
                3,
                {"rcs": Engine(28257900, ALL_CYCLES), "vcs": Engine(0, ALL_CYCLES, 2)},
                (192 + 23992) << 10,
            ),
        ),
        (
            PANFROST,
            DrmClient(
                "panfrost",
                14,
                {"fragment": Engine(1846584880), "vertex-tiler": Engine(71932239)},
                36496 << 10,
            ),
        ),
        (
            AMDGPU,
            DrmClient(
                "0000:c5:00.0",
                9,
                {"gfx": Engine(10**9), "compute": Engine(5 * 10**8)},
                (524288 + 1024) << 10,
            ),
        ),
        (MSM, DrmClient("msm", 7, {"gpu": Engine(1734371319)}, 0)),
        (NOUVEAU, DrmClient("0000:01:00.0", 5, {}, 8 << 20)),
    ],
    ids=["i915", "xe", "panfrost", "amdgpu", "msm", "nouveau"],
)
def test_each_driver_is_understood(text: str, client: DrmClient) -> None:
    assert parse_client(text) == client


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pos:\t0\nflags:\t02\n",
        "drm-driver:\ti915\n",
        "drm-client-id:\t-1\n",
        "drm-client-id:\n",
    ],
)
def test_other_files_have_no_client(text: str) -> None:
    assert parse_client(text) is None


def test_numbers_that_are_none_count_nothing() -> None:
    hostile = (
        "drm-client-id:\t1\ndrm-engine-x:\tmany ns\ndrm-engine-capacity-x:\t0\ndrm-total-y:\t٣\n"
    )
    client = parse_client(hostile + "drm-engine-\udcff:\t1 ns\n:::\n")
    assert client is not None
    assert client.engines["x"] == Engine(0, 0, 1)
    assert client.memory_bytes == 3, "as int() reads it"


def test_only_descriptors_of_gpus_are_read(tmp_path: Path) -> None:
    for pid, links in {7: {"3": "/dev/dri/renderD128", "4": "/dev/null"}, 8: {"0": "/x"}}.items():
        (tmp_path / f"{pid}/fd").mkdir(parents=True)
        (tmp_path / f"{pid}/fdinfo").mkdir()
        for number, target in links.items():
            (tmp_path / f"{pid}/fd/{number}").symlink_to(target)
    (tmp_path / "7/fdinfo/3").write_text(MSM)  # and none for 4: nobody may ask for it
    assert read_clients([7, 8, 9], tmp_path) == {7: [parse_client(MSM)]}
    assert not has_devices(tmp_path / "dri")
