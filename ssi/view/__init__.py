"""Rows in, text out: tables for people and JSON for programs. Pure, so that each test is a value.

Strings from outside (names of processes, arguments, what nodes say of themselves) pass
:func:`ssi.view.text.plain` on their way into a table; :func:`ssi.view.table.render_table` sees to
it for every cell, so that no view can forget it. JSON is ASCII only, for the same reason.
"""
