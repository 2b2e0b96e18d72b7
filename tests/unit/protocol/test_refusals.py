"""What an agent refuses is told by its own words on the other side, too."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

OWN: Final = {"bad-frame", "door-unusable", "key-unusable", "port-taken"}
"""They end an agent, or a shim's link, before anybody could be told."""


def words_known_to(module: str) -> set[str]:
    """In a process of its own, which has imported nothing else."""
    script = f"import {module}; from ssi.model.errors import SsiError; print(*SsiError.classes())"
    words = [sys.executable, "-c", script]
    told = subprocess.run(words, capture_output=True, text=True, timeout=60.0, check=True)
    return set(told.stdout.split())


def test_whoever_asks_knows_each_word_by_which_an_agent_refuses() -> None:
    agent, face = words_known_to("nodeagent.agent"), words_known_to("ssi.client.system")
    assert agent - face == OWN
