"""What every face asks through: a connection to the door, the system behind it, and its jobs.

:mod:`door` finds (or starts) the agent of this machine, :mod:`connection` carries requests to it,
:mod:`system` asks many nodes at once and finds processes, :mod:`attachment` moves bytes between
this process and a job.
"""
