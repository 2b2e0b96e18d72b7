"""Serves this node's files to the mounts of other nodes, each request as the user who makes it."""
