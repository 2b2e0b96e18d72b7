"""What touches the machine: /proc, signals, accounts, cgroups, namespaces, CRIU. Decides nothing.

Each module is one concern of the kernel's, so that what decides can be tested without it.
"""
