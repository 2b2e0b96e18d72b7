"""The TUI, ``ssi top``: htop for the whole system.

Node cards above, the process table of all nodes below, and htop's keys. It asks and shows through
:mod:`ssi.client` and :mod:`ssi.view` alone.

:mod:`tui.model` decides what is shown, and neither draws nor asks. :mod:`tui.watch` asks the nodes
again and again. :mod:`tui.modes` takes keys, :mod:`tui.actions` carries out what they mean,
:mod:`tui.views` draws lines, and :mod:`tui.top` joins them to Textual, which nothing else of ssi
imports. :mod:`tui.bindings` is the one table of keys, of which the help and the documentation are
made.
"""
