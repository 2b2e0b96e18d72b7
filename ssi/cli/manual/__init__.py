"""The manual: a page for each verb, made from what ``--help`` is made from.

:mod:`page` reads the tree of commands, and ``examples.toml`` for what no declaration of an option
can say. :mod:`markdown` and :mod:`roff` write a page down, for ``docs/verbs`` and for man(1).
:mod:`command` is ``ssi man``.
"""
