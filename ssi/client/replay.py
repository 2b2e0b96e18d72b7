"""Old output of a terminal, made fit to be shown once more. Pure.

What asks the terminal something must not be shown again: the answer would come as if it had been
typed, to a program that no longer waits for it.

Source: ctlseqs (xterm): DA, DSR, DECRQM, XTVERSION, window reports, colour queries, DECRQSS.
"""

from __future__ import annotations

import re
from typing import Final

_QUESTION: Final = re.compile(
    rb"\x05"  # ENQ
    rb"|\x1b\[[>=?]?[0-9;]{0,32}[cn]"  # who are you, how are you, where is the cursor
    rb"|\x1b\[\??[0-9;]{0,32}\$p"  # which modes are set
    rb"|\x1b\[>[0-9]{0,4}q"  # which version
    rb"|\x1b\[\?u"  # which keyboard protocol
    rb"|\x1b\[(?:1[1-9]|2[01])(?:;[0-9]{1,8}){0,2}t"  # the window
    rb"|\x1b\][0-9]{1,4};(?:[0-9]{1,4};)?\?(?:\x07|\x1b\\)"  # which colour
    rb"|\x1bP[+$]q[^\x1b\x07]{0,256}\x1b\\"  # which capability
)
_BEGINNING: Final = re.compile(rb"\n|(?=\x1b)")


def shown_again(output: bytes, *, whole: bool) -> bytes:
    """The output without its questions.

    Where it is not the ``whole`` of what was ever shown, its first piece, which may be the rest of
    a character or of a sequence, is left out.
    """
    if not whole:
        beginning = _BEGINNING.search(output)
        output = output[beginning.end() :] if beginning else b""
    return _QUESTION.sub(b"", output)
