"""The interactive shell: bash on any node, with pipes between them. Nothing of it is here yet."""
