"""Sits a person down at a session: with the own terminal, settings, history and colours."""

from __future__ import annotations

from collections.abc import Collection

from shell.prompt.conversation import Conversation, own_terminal
from shell.prompt.history import history_path
from shell.prompt.seat import Seat
from shell.prompt.settings import load_settings, settings_path
from shell.prompt.verbs import verbs
from ssi.client.candidates import candidates, patience
from ssi.model.errors import UsageError


async def talk(seat: Seat, builtins: Collection[str]) -> int:
    """Talks until the person leaves; the status of the shell.

    Args:
        seat: The session; whoever opened it closes it.
        builtins: Verbs of ssi that are commands by themselves there.

    Raises:
        UsageError: The settings, or the environment, cannot be understood.
    """
    known = verbs()
    try:
        patience_s = patience()
    except ValueError as exc:
        raise UsageError(text=f"SSI_COMPLETION_SECONDS: {exc}", hint="unset it") from exc
    conversation = Conversation(
        seat,
        candidates,
        {name: known[name].about if name in known else "" for name in builtins},
        settings=load_settings(settings_path()),
        history=history_path(),
        terminal=own_terminal(),
        patience_s=patience_s,
    )
    return await conversation.hold()
