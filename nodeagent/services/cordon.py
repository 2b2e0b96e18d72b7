"""Whether placement passes this node over: kept on the node itself, so that it outlives agents."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.files import replace_file
from ssi.protocol.message import Done
from ssi.protocol.system import CordonNode

_log = logging.getLogger(__name__)


class CordonService:
    """Handler for the cordon.

    Args:
        path: File whose existence is the cordon; it survives a reboot.
        changed: Called when the cordon has been set or lifted.
    """

    def __init__(self, path: Path, changed: Callable[[], None]) -> None:
        self._path = path
        self._changed = changed

    @property
    def is_set(self) -> bool:
        """Whether the node is cordoned."""
        return self._path.exists()

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to the cordon."""
        dispatcher.serve(CordonNode, self._cordon, Audience.ROOT)

    async def _cordon(self, _caller: Caller, body: CordonNode) -> Done:
        if body.cordoned != self.is_set:
            if body.cordoned:
                replace_file(self._path, b"")
            else:
                self._path.unlink(missing_ok=True)
            _log.info("event=cordon cordoned=%s", body.cordoned)
            self._changed()
        return Done()
