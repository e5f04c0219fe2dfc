"""A git repository of a few files, such as a person has who writes a method of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path


def repository(folder: Path, *commits: Mapping[str, str]) -> None:
    """Add one commit for every mapping of file names to text; the repository is made where there is none yet."""

    def git(*words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)

    if not (folder / ".git").exists():
        git("init", "--quiet")
    for files in commits:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        git("add", "--all")
        git("commit", "--quiet", "--allow-empty", "--message", "one more")
