"""What keys do: each action is a function of the desk, named as in :mod:`tui.bindings`."""
