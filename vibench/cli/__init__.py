"""The command line: every command reads its options, calls a function of ``import vibench``, and prints."""

from vibench.cli.app import main

__all__ = ["main"]
