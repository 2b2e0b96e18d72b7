"""Linux machines that are reached over SSH, as one computer, from a terminal.

:mod:`ssi.model` holds the values, :mod:`ssi.protocol` what is said between machines,
:mod:`ssi.mesh` and :mod:`ssi.policy` what is decided, :mod:`ssi.transport` how bytes travel,
:mod:`ssi.client` what every face is built on, :mod:`ssi.view` how rows become text,
:mod:`ssi.cli` the commands, :mod:`ssi.deploy` how hosts become nodes, and :mod:`ssi.lab` hosts to
try it all on.
"""
