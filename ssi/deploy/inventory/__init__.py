"""Inventories: hosts that a person has written down for another program.

:mod:`inventory` says what one is, and finds its reader; :mod:`ansible`, :mod:`clustershell` and
:mod:`sshconfig` each read those of one program. They decide nothing about hosts: ``ssi up`` takes
those of an inventory that its words name.
"""
