"""A session of the shell: one resident bash on a node, and the jobs that its lines started.

The bash holds what carries from line to line (directory, variables, functions, aliases, options,
umask, traps). What is a program of its own becomes a job of the system, with a gpid, and outlives
the shell. :class:`shell.session.session.Session` is all that the line editor sees of it.
"""
