"""The command line: one file per command, and nothing in it but asking and showing.

:mod:`main` knows the commands and the one way in which they end (:mod:`outcome`).
"""
