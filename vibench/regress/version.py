"""The versions that are compared: the code here, a git ref brought onto the disk as a worktree, or an unpacked wheel.

What is brought onto the disk lives in a temporary folder, which goes away when the comparison ends. A process that is
killed by SIGKILL cannot tidy up, so the next comparison first removes what such a one left.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path

from vibench.errors import InputError, MissingResource
from vibench.plugins import Spec

GROUP = "vibench.methods"
"""The group of entry points under which a version registers its methods."""
LAST = "last"
"""Instead of a git ref: the newest tag before this commit, else the commit before it; HEAD where files are changed."""
WHEEL_LIMIT_BYTES = 2 << 30
FOLDER_PREFIX = "vibench-regress-"

_SAME = re.compile(r"^same(\[.*\])?$", re.DOTALL)
_LOCK, _LOCKED, _TREE = "lock", "locked", "tree"


@dataclass(frozen=True)
class Version:
    """Where the code of one version is. ``root`` None stands for the installed code; ``title`` is for people.

    With ``owns_methods``, a method that is loaded from outside ``root`` is an error, because both versions would then
    be the same code.
    """

    title: str
    root: Path | None = None
    owns_methods: bool = True

    @property
    def python_path(self) -> list[str]:
        """The folders that stand first on the path of this version: its root, and ``src`` inside it."""
        if self.root is None:
            return []
        return [str(folder) for folder in (self.root, self.root / "src") if folder.is_dir()]

    def factory(self, name: str) -> str:
        """The ``module:factory`` behind a method's name in this version; InputError where it has none."""
        if ":" in name:
            return name
        own = self._entry_points()
        installed = {entry.name: entry.value for entry in entry_points(group=GROUP)}
        if name in own:
            return own[name]
        if name in installed and (self.root is None or not own or not self.owns_methods):
            return installed[name]
        raise InputError(f"{self.title} has no method {name!r}; it has {', '.join(sorted(own or installed)) or 'none'}")

    def _entry_points(self) -> Mapping[str, str]:
        if self.root is None:
            return {}
        if (project := self.root / "pyproject.toml").is_file():
            table = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {})
            return dict(table.get("entry-points", {}).get(GROUP, {}))
        for listed in self.root.glob("*.dist-info/entry_points.txt"):
            parser = ConfigParser(delimiters=("=",))
            parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
            parser.read(listed, encoding="utf-8")
            if parser.has_section(GROUP):
                return dict(parser[GROUP])
        return {}


@dataclass(frozen=True)
class MethodVersion:
    """One version of a method: the code that it comes from, and the method's name with its options."""

    code: Version
    spec: Spec


@contextmanager
def versions_of(methods: Sequence[Spec], against: str) -> Iterator[list[tuple[MethodVersion, MethodVersion]]]:
    """Give the old and the new version of every method; the old version's files live as long as the block.

    ``against`` is a git ref, ``last``, the path of a ``.whl`` file, or ``same[option=value]``, which stands for the
    code here with other options. InputError where it is none of these; MissingResource where this checkout cannot
    provide it.
    """
    new = here()
    if _SAME.match(against):
        options = Spec.parse(against).options
        code = replace(new, owns_methods=False)
        yield [
            (MethodVersion(code, Spec(spec.name, {**spec.options, **options})), MethodVersion(code, spec))
            for spec in methods
        ]
        return
    with other_version(against) as old:
        yield [(MethodVersion(old, spec), MethodVersion(new, spec)) for spec in methods]


def here() -> Version:
    """The checkout around the working directory with all its changes; the installed code where there is no checkout."""
    root = _toplevel()
    if root is None:
        return Version("the installed version")
    dirty = "+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else ""
    return Version(f"working tree at {_short(root, 'HEAD')}{dirty}", root)


def checkout_commit() -> str | None:
    """The full name of the commit of that checkout, with ``+changes`` where files are changed; None outside one."""
    root = _toplevel()
    if root is None:
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        return head + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except subprocess.CalledProcessError:  # a checkout without a commit
        return None


@contextmanager
def other_version(against: str) -> Iterator[Version]:
    """The version that a git ref, ``last`` or a ``.whl`` file names, as a folder that lives as long as the block."""
    with scratch_folder() as folder:
        if against.endswith(".whl"):
            yield _unpacked(Path(against), folder / _TREE)
            return
        root = _toplevel()
        if root is None:
            kind = MissingResource if against == LAST else InputError
            raise kind(f"--against {against!r} is a git ref, and the working directory is in no git checkout")
        _remove_abandoned_worktrees(root)
        commit = _commit(root, last_ref(root) if against == LAST else against)
        tree = folder / _TREE
        try:
            try:
                _git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
            except subprocess.CalledProcessError as error:
                reason = (error.stderr or "git said nothing").strip().splitlines()[-1]
                raise MissingResource(f"{against} cannot be checked out beside this commit: {reason}") from error
            yield Version(f"{against} ({_short(root, commit)})", tree)
        finally:
            _remove_worktree(root, tree)


def last_ref(root: Path) -> str:
    """Return the git ref that ``last`` stands for.

    Raises MissingResource where the history does not reach back so far.
    """
    if _git(root, "status", "--porcelain", "--untracked-files=no"):
        return "HEAD"
    for words in (("describe", "--tags", "--abbrev=0", "HEAD~1"), ("rev-parse", "--verify", "--quiet", "HEAD~1")):
        try:
            return _git(root, *words)
        except subprocess.CalledProcessError:
            continue
    raise MissingResource("there is no earlier commit to compare with (a shallow clone needs --depth 2 or more)")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder that lives as long as the block; those that killed processes left behind are removed first.

    The folder holds a lock that the system gives back when its process ends, however it ends: a folder whose lock can
    be taken belongs to nobody any more.
    """
    from filelock import FileLock

    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as name, FileLock(Path(name) / _LOCK):
        # Others look for this mark first, so that nobody takes the lock between its making and its taking.
        (Path(name) / _LOCKED).touch()
        yield Path(name)


def _is_abandoned(folder: Path) -> bool:
    from filelock import FileLock, Timeout

    try:
        if not (folder / _LOCKED).exists():
            return False
        with FileLock(folder / _LOCK, timeout=0):
            return True
    except (OSError, Timeout):  # another user's folder, or one that is in use
        return False


def _remove_abandoned_worktrees(root: Path) -> None:
    """Make git forget the worktrees of comparisons that were killed; worktrees of other programs are left alone."""
    for line in _git(root, "worktree", "list", "--porcelain").splitlines():
        tree = Path(line.removeprefix("worktree "))
        ours = line.startswith("worktree ") and tree.name == _TREE and tree.parent.name.startswith(FOLDER_PREFIX)
        if ours and (not tree.parent.exists() or _is_abandoned(tree.parent)):
            _remove_worktree(root, tree)


def _remove_worktree(root: Path, tree: Path) -> None:
    # Twice --force: a worktree whose making was cut short is still locked. Where there is none, git fails, rightly.
    words = ["git", "-C", str(root), "worktree", "remove", "--force", "--force", str(tree)]
    subprocess.run(words, check=False, capture_output=True)


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
