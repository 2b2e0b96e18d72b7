"""What several of these tests run on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.filesystem.server.exports import Export, Exports
from nodeagent.mechanism.loop import Loop
from tests.contract.deeds import Deeds


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Leaves the signals of this process as they were."""
    before = signal.getsignal(signal.SIGCHLD)
    made = Loop()
    try:
        yield made
    finally:
        made.close()
        signal.signal(signal.SIGCHLD, before)


@pytest.fixture
def deeds(tmp_path: Path) -> Deeds:
    """A directory of which a part is read-only and a part secret, and that is served."""
    root = tmp_path / "root"
    for folder in ("secret", "ro", "rw"):
        (root / folder).mkdir(parents=True)
    (root / "secret/key").write_text("secret")
    (root / "ro/file").write_text("fixed")
    (tmp_path / "outside").write_text("outside")
    noting = {root.stat().st_dev}
    exports = Exports((Export(b""), Export(b"ro", writable=False)), [b"secret"], noting)
    return Deeds(root, exports)
