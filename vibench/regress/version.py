"""Brings another version of the code onto the disk: a git ref as a worktree, or an unpacked wheel; both go away again."""

from __future__ import annotations

import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vibench.errors import InputError, MissingResource
from vibench.regress.process import Version

LAST = "last"
"""Instead of a ref: the newest tag before this commit, else the commit before it (the last one, with changes around)."""
WHEEL_LIMIT_BYTES = 2 << 30


def here() -> Version:
    """The checkout around the working directory, with whatever is changed in it; the installed code where there is none."""
    root = _toplevel()
    if root is None:
        return Version("the installed version")
    dirty = "+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else ""
    return Version(f"working tree at {_short(root, 'HEAD')}{dirty}", root)


@contextmanager
def other_version(against: str) -> Iterator[Version]:
    """The version that a git ref, ``last`` or a ``.whl`` file names, as a folder that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="vibench-regress-") as folder:
        if against.endswith(".whl"):
            yield _unpacked(Path(against), Path(folder))
            return
        root = _toplevel()
        if root is None:
            kind = MissingResource if against == LAST else InputError
            raise kind(f"--against {against!r} is a git ref, and the working directory is in no git checkout")
        commit = _commit(root, last_ref(root) if against == LAST else against)
        tree = Path(folder) / "tree"
        try:
            _git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        except subprocess.CalledProcessError as error:
            reason = (error.stderr or "git said nothing").strip().splitlines()[-1]
            raise MissingResource(f"{against} cannot be checked out beside this commit: {reason}") from error
        try:
            yield Version(f"{against} ({_short(root, commit)})", tree)
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def last_ref(root: Path) -> str:
    """What ``last`` stands for; MissingResource where the history does not reach back so far."""
    if _git(root, "status", "--porcelain", "--untracked-files=no"):
        return "HEAD"
    for words in (("describe", "--tags", "--abbrev=0", "HEAD~1"), ("rev-parse", "--verify", "--quiet", "HEAD~1")):
        try:
            return _git(root, *words)
        except subprocess.CalledProcessError:
            continue
    raise MissingResource("there is no earlier commit to compare with (a shallow clone needs --depth 2 or more)")


def _unpacked(wheel: Path, folder: Path) -> Version:
    try:
        with zipfile.ZipFile(wheel) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > WHEEL_LIMIT_BYTES:
                raise InputError(f"wheel {wheel.name!r} would unpack to {size} bytes; the limit is {WHEEL_LIMIT_BYTES}")
            archive.extractall(folder)  # zipfile strips absolute names and ".."
    except FileNotFoundError as error:
        raise InputError(f"there is no wheel {str(wheel)!r}") from error
    except zipfile.BadZipFile as error:
        raise InputError(f"{str(wheel)!r} is not a wheel: {error}") from error
    return Version(wheel.name, folder)


def _commit(root: Path, ref: str) -> str:
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except subprocess.CalledProcessError as error:
        raise InputError(f"this checkout has no commit or tag {ref!r} (a shallow clone may lack it)") from error


def _toplevel() -> Path | None:
    try:
        return Path(_git(Path.cwd(), "rev-parse", "--show-toplevel"))
    except (OSError, subprocess.CalledProcessError):
        return None


def _short(root: Path, ref: str) -> str:
    try:
        return _git(root, "rev-parse", "--short", ref)
    except subprocess.CalledProcessError:
        return "no commit yet"


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout.strip()
