"""Completions for bash, zsh and fish, made from the tree of commands.

:mod:`words` says what each verb takes; :mod:`bash`, :mod:`zsh` and :mod:`fish` write that down for
their shell. What only the system knows (nodes, gpids, paths) the shells ask of ``ssi __complete``
(:mod:`candidates`), which answers soon or not at all. :mod:`command` is ``ssi completion``.
"""
