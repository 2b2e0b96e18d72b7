"""Puts ssi on machines that have nothing but sshd and Python, and takes it off again.

The way of one host through :mod:`deployment`: its name becomes a :mod:`target`, a
:mod:`connection` is made to it (strict about its :mod:`hostkey`, as :mod:`known_hosts` says), and
:mod:`remote` talks there with :mod:`onhost`, a program that arrives over the connection
(:mod:`loader`) and lives only as long as it. What it needs of our code is a :mod:`bundle`, made of
:mod:`contents` with :mod:`wheels` for its :mod:`platform`. :mod:`enrolment` gives it its number in
the roster, which :mod:`cluster` keeps and a :mod:`messenger` spreads; :mod:`removal` is the way
back. Source: ADR 0004.
"""
