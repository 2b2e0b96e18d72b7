"""Forks shims from a warm image, and keeps the agent running.

A shim that started from nothing would import Python and all of its modules first; the keeper has
done so once, and forks. It is apart from the agent, so that an agent that crashes, or is replaced
by a newer one, takes no job with it, and is back within a second. ``python3 -m nodeagent.keeper``
passes its options on to the agent that it starts.
"""
