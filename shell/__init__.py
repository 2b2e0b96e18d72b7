"""The interactive shell, ``ssi``: a whole cluster at one prompt.

Its language is bash, with one addition: where. ``@n2 cmd``, ``a | @gpu b``. Real bash expands and
executes every stage on the node where it runs; this package reads lines, places stages and keeps
jobs, through :mod:`ssi.client` alone.
"""
