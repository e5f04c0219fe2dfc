"""What a program is, so that its results are not taken for another's: its commit, its version, the sha256 of its files.

Where it lies on the disk does not belong to it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from vibench.errors import InputError, MissingResource, one_line, reading
from vibench.runner.programs.method_file import MethodFile
from vibench.runner.programs.template import filled_in

VERSION_SECONDS = 120.0
WHERE_FROM = "docs/method-files.md says how to get them"
MOST_FILES = 20_000
"""A checkout with more files of Python than this is none."""


@dataclass(frozen=True)
class Identity:
    """``code`` is a commit with what was changed since, or the sha256 of the program's own files; ``version`` is what
    it says itself, and ``weights`` maps the names of its weights to their sha256."""

    code: str
    version: str
    weights: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """Of code and version."""
        return hashlib.sha256(json.dumps([self.code, self.version]).encode()).hexdigest()

    @property
    def weights_sha256(self) -> str | None:
        """Of the sha256 of all weights; None where the method file names none."""
        if not self.weights:
            return None
        return hashlib.sha256(json.dumps(sorted(self.weights.items())).encode()).hexdigest()


def identity_of(file: MethodFile, values: Mapping[str, object], environment: Mapping[str, str]) -> Identity:
    """Look at the program on this machine; MissingResource where its checkout, its weights or itself is not there.

    ``values`` are those of the options, of ``checkout`` and ``python``.
    """
    checkout = Path(file.checkout) if file.checkout else None
    version = _version([filled_in(word, values) for word in file.version], file.name, environment)
    if checkout is not None:
        code = _commit(checkout) or _sha256_of_sources(checkout)
    elif version:
        code = ""
    else:
        found = shutil.which(filled_in(file.command[0], values), path=environment.get("PATH"))
        code = "" if found is None else _sha256(Path(found), *_changed(Path(found)))
    weights = dict(_weights(file, values, checkout))
    return Identity(code, version, weights)


def _version(command: list[str], name: str, environment: Mapping[str, str]) -> str:
    """The first line that a program prints of itself."""
    if not command:
        return ""
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=dict(environment),
            timeout=VERSION_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or f"it takes longer than {VERSION_SECONDS:g} s to say its version"
        raise MissingResource(f"{name}: {command[0]} cannot be run: {reason}") from error
    lines = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace").strip().splitlines()
    if done.returncode or not lines:
        said = one_line(lines[-1]) if lines else "it prints nothing"
        raise MissingResource(f"{name} does not say its version by {one_line(' '.join(command))}: {said}")
    return one_line(lines[0])


def _commit(checkout: Path) -> str | None:
    """The commit of a git checkout, and the sha256 of what was changed in its files since; None where it is none."""
    try:
        head, top, changes = (
            subprocess.run(["git", "-C", str(checkout), *words], check=True, capture_output=True).stdout
            for words in (["rev-parse", "HEAD"], ["rev-parse", "--show-toplevel"], ["diff", "HEAD", "--binary"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    if Path(top.decode("utf-8", "surrogateescape").strip()).resolve() != checkout.resolve():
        return None  # a folder inside somebody else's repository
    return head.decode().strip() + (f"+{hashlib.sha256(changes).hexdigest()}" if changes else "")


def _sha256_of_sources(checkout: Path) -> str:
    files = list(islice(checkout.rglob("*.py"), MOST_FILES + 1))
    if len(files) > MOST_FILES:
        raise InputError(f"{checkout} holds more than {MOST_FILES} files of Python; name the folder of the program")
    hashed = hashlib.sha256()
    for path in sorted(files):
        if path.is_file():
            hashed.update(f"{path.relative_to(checkout).as_posix()} {_sha256(path, *_changed(path))}\n".encode())
    return hashed.hexdigest()


def _weights(file: MethodFile, values: Mapping[str, object], checkout: Path | None) -> Iterator[tuple[str, str]]:
    for template in file.weights:
        name = filled_in(template, values)
        place = Path(name).expanduser()
        place = checkout / place if checkout is not None else place
        paths = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
        if not paths or not place.exists():
            raise MissingResource(f"{file.name} needs its weights at {place}; {WHERE_FROM}")
        for path in paths:
            inside = f"/{path.relative_to(place).as_posix()}" if place.is_dir() else ""
            yield f"{Path(name).name}{inside}", _sha256(path, *_changed(path))


def _changed(path: Path) -> tuple[int, int]:
    with reading(path):
        found = path.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=4096)
def _sha256(path: Path, _time: int, _size: int) -> str:
    with reading(path), path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
