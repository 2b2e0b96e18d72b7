"""Who is there: membership as a pure state machine, ``handle(event, now) -> instructions``.

SWIM finds out who died: each member probes others, asks some more to try where one is silent,
suspects before it believes, and lets the suspect refute. What is found out spreads as gossip on
the probes themselves. Lifeguard's refinements keep a slow member from accusing healthy ones.
Clock and random are arguments and nothing here does I/O, so that ``tests/simulation`` can drive a
thousand members in one process through any fault.

Sources: SWIM (Das, Gupta, Motivala, DSN 2002); Lifeguard (Dadgar, Phillips, Currey,
arXiv 1707.00788); hybrid logical clocks (Kulkarni and others, OPODIS 2014).
"""
