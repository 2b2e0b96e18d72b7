"""Heartbeats on a thread, a context and sockets of their own.

Nothing that the agent does holds them up: neither a checkpoint on its way through ZeroMQ's other
thread, nor a request that keeps the agent's loop busy. The thread feeds the membership's state
machine and carries out what it says; the agent's loop only asks it what is believed.
"""
