"""The daemon of a node: it performs what mesh and policy decide.

An :mod:`agent` answers requests from its door and from the mesh (:mod:`dispatch`) through services
(:mod:`services`), which act on the machine through mechanisms (:mod:`mechanism`). Jobs do not live
in it: a :mod:`keeper` forks one :mod:`shim` per job, and both outlive an agent that crashes.
"""
