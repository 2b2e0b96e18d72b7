"""A TCP connection of our own beside that of CURVE, for much that flows between two nodes.

ZeroMQ's threads cost more than all else of a small message, and its cipher most of a large one. Who
offers such a connection tells over CURVE on which port it listens, and a key that is good for one.
All on it is sealed by AES-256-GCM.
"""
