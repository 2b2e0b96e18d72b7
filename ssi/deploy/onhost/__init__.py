"""The program that works on a host for the length of one SSH connection.

Its modules are sent as text and run by the host's Python before anything of ours is installed
there, so they import the standard library and each other, nothing else. :mod:`orders` takes the
deployer's orders; :mod:`probe` looks at the host, :mod:`store` keeps bundles, :mod:`launch` starts
and stops the keeper, :mod:`removal` leaves nothing behind. Source: ADR 0004.
"""

MODULES = (
    "wire",
    "layout",
    "process",
    "probe",
    "lock",
    "store",
    "service",
    "launch",
    "removal",
    "orders",
)
"""In the order in which they are run, each after those that it imports."""
