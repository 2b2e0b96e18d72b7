"""What keys mean at a time: in a list at the side, on a line that is typed, in a text that is read.

Each is a value with its own state, which knows no terminal: it is told of keys and draws lines.
"""
