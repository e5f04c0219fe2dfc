"""What a command line gives back."""

from __future__ import annotations

Outcome = tuple[int, str, str]
"""Exit status, standard output, standard error."""
