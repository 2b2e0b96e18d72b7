"""The person at the shell's terminal: a line editor over prompt-toolkit, and the lines around it.

:mod:`conversation` asks for a line, has the session run it, and keeps it in :mod:`history`.
:mod:`editor` is the line being typed: :mod:`keys` say what Enter, ^D and a paste mean there,
:mod:`completion` offers what a word may become, :mod:`highlighting` colours it. What decides is
apart from what asks: :mod:`scan`, :mod:`quoting`, :mod:`verbs`, :mod:`recall`, :mod:`spans`,
:mod:`appearance` and :mod:`marks` are pure. All is asked of the session through :mod:`seat`, and
nothing that a node answers late, or never, holds up a key.
"""
