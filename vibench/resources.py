"""Files that travel with the package, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

from vibench.errors import MissingResource


def bundled(folder: str) -> Path:
    """The folder ``datasets`` or ``reports``: inside the installed wheel, or beside the package in a checkout."""
    package = Path(__file__).parent
    for place in (package / "_data" / folder, package.parent / folder):
        if place.is_dir():
            return place
    raise MissingResource(f"the bundled folder {folder!r} is not in this installation; install vibench again")


def cache_folder(kind: str) -> Path:
    """A folder for recomputable things: ``$VIBENCH_CACHE/kind`` or the platform's user cache; made when absent."""
    import platformdirs

    root = os.environ.get("VIBENCH_CACHE") or platformdirs.user_cache_dir("vibench")
    folder = Path(root).expanduser() / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder
