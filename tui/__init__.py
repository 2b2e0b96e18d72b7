"""The TUI, ``ssi top``: htop for the whole system.

Node cards above, the process table of all nodes below, and htop's keys. It asks and shows through
:mod:`ssi.client` and :mod:`ssi.view` alone.
"""
