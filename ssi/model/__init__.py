"""The values that everything else speaks of: gpids, nodes, processes, jobs, and what can go wrong.

Nothing here does I/O, reads a clock or draws a random number. A value is checked where it is made,
so that whoever holds one need not ask again.
"""
