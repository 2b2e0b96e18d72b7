"""What is new on a screen: a wait that old text ends is no wait, and what follows comes too early.

"Up" of a first round is still shown when the second waits for "up", and keys are typed before
anybody reads them: on an idle machine that goes well.
"""

from __future__ import annotations

import re
from collections import Counter


def newly_seen(pattern: re.Pattern[str], before: str, now: str) -> re.Match[str] | None:
    """The first match that the screen did not show before, as often; None if there is none.

    Equal texts are told apart by their number alone. Blanks do not count: what is above may be the
    same while lines below it come and go. Where lines scroll away or a screen is cleared, something
    new can be taken for old, never the other way round: a test waits in vain then, each time.
    """
    old = Counter(_words(match) for match in pattern.finditer(before))
    for match in pattern.finditer(now):
        if not old[_words(match)]:
            return match
        old[_words(match)] -= 1
    return None


def _words(match: re.Match[str]) -> str:
    return " ".join(match[0].split())
