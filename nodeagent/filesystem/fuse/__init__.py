"""Speaks with the kernel's FUSE, in its own protocol: no library of C is needed on a node."""
