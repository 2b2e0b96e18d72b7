"""A job's way from one node to another, so that at each instant at most one copy of it may run.

:mod:`plan` says what of a job's open files goes along and what stands in the way, :mod:`carriage`
copies files and images, :mod:`source` leads the two-phase protocol of ``docs/protocol.md``,
:mod:`destination` is its other half, and :mod:`doubt` settles moves whose other side fell silent.
"""
