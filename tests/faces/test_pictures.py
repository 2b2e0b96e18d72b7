"""The pictures of `ssi top` in README and docs are taken from the program itself.

``pytest tests/faces/test_pictures.py --pictures`` takes them anew.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from ssi.model.process import ProcessRow
from tests.faces.mesh import Mesh, connected
from tests.unit.view.samples import GPU, METRICS, node, process
from tui.settings import Settings
from tui.top import Top

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
LIMIT_S = 60.0


def running(gpid: int, command: str, **changes: object) -> ProcessRow:
    words = tuple(command.split())
    name = words[0].rpartition("/")[2]
    born = {"gpid": gpid, "pid": gpid % 5_000_000, "command": words, "name": name}
    return process(parent_gpid=0, **{**born, **changes})


def system() -> Mesh:
    """Three machines at work; a job of n1 has a process on n1 and moved to gpu1."""
    mesh = Mesh()
    gpu = msgspec.structs.replace(METRICS, gpus=(GPU,), jobs=1, cores=16, load=(3.2, 2.8, 2.5))
    mesh.nodes = [
        node(name="web1", rtt_ms=0.0),
        node(name="web2", number=2),
        node(name="gpu1", number=3, metrics=gpu),
    ]
    mesh.processes = {
        "web1": [
            running(10004321, "xz -9 -k corpus.tar", cpu_percent=98.0, state="R"),
            running(10000812, "/usr/sbin/nginx -g daemon", user="www", cpu_percent=3.1),
            running(15000001, "make -j8", job=15000001, cpu_percent=0.4),
            running(15000002, "cc1 -O2 parse.c", job=15000001, cpu_percent=61.0, state="R"),
        ],
        "web2": [
            running(20000611, "/usr/lib/postgresql/15/bin/postgres -D /srv/db", user="postgres"),
            running(25000007, "vi notes", job=25000007, tty="pts/1", cpu_percent=0.1),
        ],
        "gpu1": [
            running(
                15000009,
                "python3 train.py --epochs 40",
                job=15000009,
                cpu_percent=340.0,
                rss_bytes=3 << 30,
                threads=20,
                state="R",
            ),
        ],
    }
    for rows in mesh.processes.values():
        rows[:] = [
            msgspec.structs.replace(row, parent_gpid=15000001) if row.gpid == 15000002 else row
            for row in rows
        ]
    return mesh


async def picture(directory: Path, *keys: str, waits_for: str) -> str:
    """The screen as SVG, after keys and once it shows a text."""
    async with connected(system(), directory) as asked:
        top = Top(asked, Settings(every_s=5.0))
        async with top.run_test(size=(112, 30)) as pilot:
            async with asyncio.timeout(LIMIT_S):
                while not top.browser.lines:
                    await pilot.pause(0.02)
                while len(top.feed.meters) < 3:
                    await pilot.pause(0.02)
                top.redraw()
                await pilot.press(*keys)
                while waits_for.replace(" ", "&#160;") not in (svg := top.export_screenshot()):
                    await pilot.pause(0.05)
            return svg


@pytest.mark.parametrize(
    ("name", "keys", "waits_for"),
    [
        ("top", (), "psi"),
        ("migrate", (*"15000009", "enter", "v"), "can move"),
    ],
)
def test_a_picture_shows_what_the_program_shows(
    name: str,
    keys: tuple[str, ...],
    waits_for: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    svg = asyncio.run(picture(tmp_path, *keys, waits_for=waits_for))
    kept = PICTURES / f"{name}.svg"
    if request.config.getoption("--pictures"):
        kept.write_text(svg, encoding="utf-8")
    told = kept.read_text(encoding="utf-8")
    for text in ("web1", "gpu1", "GPID", "15000009", *waits_for.split()):
        assert text in svg, text
        assert text in told, f"{text}: take the pictures anew with --pictures"
