"""A connection beside that of CURVE, for what mounts and file servers tell each other.

ZeroMQ's threads cost more than all else of a small request, and its cipher most of a large one. So
once a session stands, the mount asks for a way: the server says, over CURVE, on which port it
listens, and gives a token and a key for one connection. All on it is sealed by AES-256-GCM. Where
there is no such way, or it ends, everything goes over CURVE.
"""
