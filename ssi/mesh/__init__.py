"""Who is there: membership as a pure state machine, ``handle(event, now) -> instructions``.

For now probes of every member by every other, with suspicion before death. The clock is an
argument and nothing here does I/O, so that a simulation can drive it and a fuller protocol can
take its place. Source: SWIM (Das, Gupta, Motivala 2002), sections 3 and 4.2.
"""
