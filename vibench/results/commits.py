"""The commits of a checkout in their order, by which runs of its code are put in theirs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from vibench.errors import InputError, one_line
from vibench.machine.facts import git

CHANGED = "+changes"
"""Ends the commit of a checkout in which files were changed."""


@dataclass(frozen=True)
class Commits:
    """What a checkout knows of its commits: ``places`` maps each one's full name to (time in seconds, place)."""

    folder: Path
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Commits:
        """Read all commits of the checkout around ``folder``; there are none where there is no checkout."""
        try:
            lines = git(folder, "log", "--all", "HEAD", "--topo-order", "--reverse", "--format=%H %ct").splitlines()
        except (OSError, subprocess.CalledProcessError):
            return cls(folder)
        pairs = (line.split() for line in lines)
        return cls(folder, {name: (int(seconds), place) for place, (name, seconds) in enumerate(pairs)})

    def when(self, commit: str | None) -> tuple[datetime, int] | None:
        """Return when a commit was made and its place among those of that second; None where it is not known."""
        found = self.places.get((commit or "").removesuffix(CHANGED))
        return None if found is None else (datetime.fromtimestamp(found[0], UTC), found[1])

    def since(self, reference: str) -> frozenset[str] | None:
        """Return a tag, branch or commit and all that it does not contain; None where this checkout has no such one."""
        try:
            first = git(self.folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
            later = git(self.folder, "rev-list", "--all", "HEAD", f"^{first}").split()
        except (OSError, ValueError, subprocess.CalledProcessError):
            return None
        return frozenset((first, *later))


def instant(text: str) -> datetime:
    """Read an ISO date or time, in UTC where it does not say; InputError for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{one_line(text)!r} is no date or time as 2026-01-31T12:00:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
