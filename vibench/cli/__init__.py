"""The command line: one file a command, each of which reads its options, calls one function of vibench and prints."""

from vibench.cli.app import main

__all__ = ["main"]
