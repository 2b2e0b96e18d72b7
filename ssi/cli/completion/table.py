"""What each verb takes, as the shell of ssi itself reads it: ``shell/prompt/verbs.json``.

The shell imports no command: the tree of them takes longer to import than a person waits for TAB.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from ssi.cli.completion.words import Verb


def render(verbs: Sequence[Verb]) -> str:
    """The file, a verb on each line."""
    rows = [json.dumps(asdict(verb), ensure_ascii=False) for verb in verbs]
    return "[\n" + ",\n".join(rows) + "\n]\n"
