"""Processes that should have ended."""

from __future__ import annotations

import os

import psutil


def left_over() -> set[int]:
    """Processes that this one, or a method that it has run, has started and nobody has ended."""
    mark = f"left-over-of-{os.getpid()}."
    ours = {process.pid for process in psutil.Process().children(recursive=True)}
    return ours | {process.pid for process in psutil.process_iter() if mark in " ".join(words(process))}


def words(process: psutil.Process) -> list[str]:
    """The command line of a process; none where it has ended."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
