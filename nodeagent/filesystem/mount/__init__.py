"""Answers the kernel for the mounts of this machine, by asking the servers of other nodes."""
