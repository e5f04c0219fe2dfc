"""Frames that any other program has filled, read back so that they are scored like everything else.

Layout, for a case named ``blackswan/stationary-square`` (``vibench export PROTOCOL`` writes inputs under the same
names)::

    PATH/blackswan/stationary-square/00000.png, 00001.png, ...     one image a frame, in natural order of names
    PATH/blackswan/stationary-square.mp4                           or a video file instead of the folder

``PATH`` is a folder or an archive of it (``.zip``, ``.tar``, ``.tar.gz``, ``.tgz``). With ``by=clip`` the part after
the clip's name is left out (``PATH/blackswan/00000.png``), for programs that know only clips.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from vibench.clip import Frames, Holed
from vibench.errors import InputError, reading
from vibench.media.frames import read_frames
from vibench.media.images import SUFFIXES

VIDEOS = (".mp4", ".mkv", ".mov", ".m4v", ".avi", ".webm")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
MAX_CASE_BYTES = 4 * 2**30
"""What the files of one case in an archive may take once they are unpacked."""


class FromDisk:
    """Take the frames that another program has written, from_disk[path=FOLDER_OR_ARCHIVE]; they are never timed.

    A case is a folder of images, one a frame, in natural order of their names, or a video file:

        PATH/blackswan/stationary-square/00000.png, 00001.png, ...
        PATH/blackswan/stationary-square.mp4

    The command vibench export writes inputs under the same names. With by=clip the part after the clip's name is left
    out (PATH/blackswan/00000.png), for programs that know only clips. PATH may be a .zip, .tar, .tar.gz or .tgz of it.
    Every frame has the protocol's size.
    """

    def __init__(self, *, path: str, by: Literal["case", "clip"] = "case") -> None:
        self.path, self.by = Path(str(path)), by
        if by not in ("case", "clip"):
            raise InputError(f"from_disk[by={by}] is neither case nor clip")
        if not path or not self.path.exists():
            raise InputError(f"from_disk: there is nothing at {path}; name a folder or archive of filled frames")
        is_archive = self.path.is_file() and self.path.name.lower().endswith(ARCHIVES)
        if not (is_archive or self.path.is_dir()):
            raise InputError(f"from_disk: {path} is neither a folder nor an archive ({', '.join(ARCHIVES)})")

    def describe(self) -> Mapping[str, Any]:
        """Where the frames were read, and what is there: other frames at the same place are another result.

        Reading them says nothing about how fast they were made.
        """
        return {
            "not_timed": "its frames were read from disk",
            "path": str(self.path),
            "content_sha256": _content_sha256(self.path),
        }

    def __call__(self, holed: Holed) -> Frames:
        """The frames of the case of that name; InputError where they are missing, or not as many or as large."""
        name = holed.name.partition("/")[0] if self.by == "clip" else holed.name
        with self._place(name) as place, reading(f"{self.path}: case {name!r}"):
            frames, _ = read_frames(place)
        if frames.shape != holed.frames.shape:
            raise InputError(
                f"{self.path} holds {_size(frames)} for {name!r}, and the case has {_size(holed.frames)}; "
                "write every frame at the protocol's size"
            )
        return frames

    @contextmanager
    def _place(self, name: str) -> Iterator[Path]:
        """The folder or video file of one case, unpacked for as long as it is read."""
        if self.path.is_dir():
            found = [self.path / name, *(self.path / f"{name}{suffix}" for suffix in VIDEOS)]
            place = next((path for path in found if path.exists()), None)
            if place is None:
                raise InputError(f"{self.path} holds neither a folder {name!r} nor a video of that name")
            yield place
            return
        with tempfile.TemporaryDirectory(prefix="vibench-") as folder:
            yield _unpacked(self.path, name, Path(folder))


def _content_sha256(path: Path) -> str:
    """Sha256 of the names and contents of every file in a folder, or of an archive."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    hashed = hashlib.sha256()
    for file in files:
        name = "" if file == path else file.relative_to(path).as_posix()
        with reading(file), file.open("rb") as content:
            hashed.update(f"{name}\0{hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode("utf-8", "replace"))
    return hashed.hexdigest()


def _unpacked(archive: Path, name: str, folder: Path) -> Path:
    """The members of one case as files in ``folder``; their own names decide their order and nothing else."""
    left, videos, count = MAX_CASE_BYTES, [], 0
    with reading(archive, "is not a whole archive"):
        for member, size, stream in _members(archive):
            path = PurePosixPath(member)
            is_image = path.parent == PurePosixPath(name) and path.suffix.lower() in SUFFIXES
            is_video = path.with_suffix("") == PurePosixPath(name) and path.suffix.lower() in VIDEOS
            if not (is_image or is_video) or path.name.startswith("."):
                continue
            left -= size
            if left < 0:
                raise InputError(f"{archive}: the files of {name!r} unpack to more than {MAX_CASE_BYTES >> 30} GiB")
            target = folder / path.name
            with target.open("wb") as file:
                shutil.copyfileobj(stream, file)
            count += 1
            videos += [target] if is_video else []
    if not count:
        raise InputError(f"{archive} holds no images in {name!r} and no video of that name")
    return videos[0] if videos else folder


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Name, unpacked size and content of every regular file."""
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                if not entry.is_dir():
                    with zipped.open(entry) as stream:
                        yield entry.filename, entry.file_size, stream
        return
    with tarfile.open(archive) as tarred:
        for member in tarred:
            content = tarred.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name, member.size, content


def _size(frames: Frames) -> str:
    count, height, width = frames.shape[:3]
    return f"{count} frames of {width}x{height}"
