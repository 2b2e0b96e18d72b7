"""The full-screen view of the whole system, for fingers that know htop. Nothing of it yet."""
