"""Signals that came to the copy of a job at its source after CRIU had read it."""

from __future__ import annotations

import logging
from typing import Final

from nodeagent.peers import Peers
from ssi.model.errors import SsiError
from ssi.model.sentsignal import SentSignal
from ssi.protocol.migration import ForwardSignals
from ssi.protocol.refusals import JobMoved

_log = logging.getLogger(__name__)

ASK_TIMEOUT_S: Final = 5.0
_STEPS: Final = 5
"""How far a job is followed that goes on at once."""


async def forward(
    peers: Peers, gpid: int, destination: str, signals: tuple[SentSignal, ...]
) -> None:
    """They reach the job where it runs by now; what cannot be brought there is told in the log."""
    if not signals:
        return
    told = " ".join(f"{each.number}>{each.pid}" for each in signals)
    node = destination
    for _ in range(_STEPS):
        try:
            request = ForwardSignals(gpid=gpid, signals=signals)
            await peers.ask(node, request, timeout_s=ASK_TIMEOUT_S)
        except JobMoved as exc:
            node = exc.node
        except SsiError as exc:
            _log.warning("event=signals-lost gpid=%d sent=%s reason=%s", gpid, told, exc)
            return
        else:
            _log.info("event=signals-forwarded gpid=%d node=%s sent=%s", gpid, node, told)
            return
    _log.warning("event=signals-lost gpid=%d sent=%s reason=it moves on and on", gpid, told)
