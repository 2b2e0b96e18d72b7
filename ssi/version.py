"""The version of ssi, the same in every part of it."""

VERSION = "0.1.0"
