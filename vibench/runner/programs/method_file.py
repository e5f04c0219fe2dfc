"""A method file: a TOML file that says how a program is called, what it is given, and where it leaves its frames.

``docs/method-files.md`` explains every field to a user. A file may describe a Python method under another interpreter
instead; it then names a ``factory`` and no ``command``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from vibench.document import Frozen, read_toml
from vibench.media.images import SUFFIXES
from vibench.media.resize import FILTERS
from vibench.runner.programs.template import check_names

FOLDER = Path(__file__).parent / "files"
"""The method files that come with vibench."""

VIDEOS = frozenset({".mp4", ".mkv", ".mov", ".avi", ".m4v", ".webm"})
NUMBER = re.compile(r"%0?(\d*)d")

PLACES = ("frames", "masks", "output", "job")
"""Names of what lies in the folder of a job: the frames, the masks, the folder for what the program writes, itself."""
FACTS = (
    "width", "height", "count", "duration", "frames_per_second", "seed", "device", "threads", "hole_x", "hole_y",
    "hole_width", "hole_height",
)  # fmt: skip
"""Names of what is known of the clip that the program is given, and of how it shall work."""
INSTALLED = ("checkout", "python")
"""Names of what lies elsewhere on this machine for each user, so that it is no option of the method."""

Option = bool | int | float | str


class Input(Frozen):
    """What the program is given.

    The name of ``frames`` and of ``masks`` says what is written: pictures where it holds a number (``frames/%05d.png``,
    or ``.jpg``), a video where it ends like one (``clip.mp4``, ``.mkv``), and for masks one picture that holds for all
    frames (``mask.png``), which is the union of all holes. Videos lose nothing but the rounding of RGB to YUV 4:4:4.
    """

    frames: str = "frames/%05d.png"
    masks: str = "masks/%05d.png"
    first: int = Field(default=0, ge=0)
    hole: Literal["white", "black"] = "white"
    dilation_iterations: int = Field(default=0, ge=0, le=64)
    width_px: int | None = Field(default=None, ge=16, le=8192)
    height_px: int | None = Field(default=None, ge=16, le=8192)
    multiple: int = Field(default=1, ge=1, le=256)
    fit: Literal["pad", "resize"] = "pad"
    filter: str = "area"
    frames_per_second: float = Field(default=24.0, gt=0, le=240)
    least_frames: int = Field(default=1, ge=1)
    most_frames: int | None = Field(default=None, ge=1)
    count_multiple: int = Field(default=1, ge=1, le=256)
    count_remainder: int = Field(default=0, ge=0, le=255)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for name in (self.frames, self.masks):
            _check_inside(name)
        if not (is_numbered(self.frames) or is_video(self.frames)):
            raise ValueError(f"frames is {self.frames!r}; it must be pictures, frames/%05d.png, or a video, clip.mp4")
        if not (is_numbered(self.masks) or is_video(self.masks) or PurePosixPath(self.masks).suffix.lower() == ".png"):
            raise ValueError(f"masks is {self.masks!r}; it must be masks/%05d.png, a video, or one picture, mask.png")
        if self.frames == self.masks:
            raise ValueError("frames and masks have one name; they need two")
        if (self.width_px is None) != (self.height_px is None):
            raise ValueError("width_px and height_px go together")
        if self.filter not in FILTERS:
            raise ValueError(f"filter is {self.filter!r}; there are {', '.join(sorted(FILTERS))}")
        if self.most_frames is not None and self.most_frames < self.least_frames:
            raise ValueError(f"most_frames is {self.most_frames}, below least_frames, which is {self.least_frames}")
        return self


class Output(Frozen):
    """Where the program leaves its frames, and the number ``first`` of the first one where they are numbered.

    ``frames`` is a path with names in braces: numbered pictures (``{output}/%05d.png``), a video (``{output}/out.mp4``)
    or either with ``*`` and ``?`` where the program chooses a part of the name; pictures then count in natural order.
    """

    frames: str
    first: int = Field(default=0, ge=0)

    @field_validator("frames")
    @classmethod
    def _is_a_form(cls, frames: str) -> str:
        suffix = PurePosixPath(frames).suffix.lower()
        if suffix not in SUFFIXES | VIDEOS:
            raise ValueError(f"{frames!r} ends neither like a picture nor like a video")
        if suffix in SUFFIXES and not is_numbered(frames) and not is_pattern(frames):
            raise ValueError(f"{frames!r} is one picture; write its number, %05d, or a pattern, *.png")
        return frames


class MethodFile(Frozen):
    """Everything that a method file says."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)
    title: str
    licence: str
    citation: str = ""
    homepage: str = ""
    knows: str = ""
    command: tuple[str, ...] = ()
    factory: str = Field(default="", pattern=r"^$|^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
    path: tuple[str, ...] = ()
    checkout: str = ""
    python: str = ""
    folder: str = "{job}"
    environment: dict[str, str] = Field(default_factory=dict)
    options: dict[str, Option] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    links: dict[str, str] = Field(default_factory=dict)
    version: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    seconds: str = ""
    input: Input = Field(default_factory=Input)
    output: Output | None = None

    @model_validator(mode="after")
    def _is_program_or_python(self) -> Self:
        if bool(self.command) == bool(self.factory):
            raise ValueError("it needs either a command, for a program, or a factory, for a Python method")
        if self.command and self.output is None:
            raise ValueError("output is missing: where the program leaves its frames")
        if self.factory and not self.python:
            raise ValueError("python is missing: the interpreter that the factory works under")
        self._check_templates()
        if self.seconds:
            _check_pattern(self.seconds)
        for name in (*self.files, *self.links):
            _check_inside(name)
        return self

    def _check_templates(self) -> None:
        for name in self.options:
            if not name.isidentifier() or name in (*PLACES, *FACTS, *INSTALLED):
                raise ValueError(f"an option may not be called {name!r}")
        known = {*PLACES, *FACTS, *INSTALLED, *self.options}
        for text in self.templates:
            check_names(text, known)
        elsewhere = {*INSTALLED, *self.options}
        for text in (*self.version, *self.weights):
            check_names(text, elsewhere)

    @property
    def templates(self) -> tuple[str, ...]:
        """Every text that is filled in for a job."""
        output = () if self.output is None else (self.output.frames,)
        values = (*self.environment.values(), *self.files.values(), *self.links.values())
        return (*self.command, self.folder, *values, *output)

    @property
    def decisions(self) -> str:
        """Sha256 of all fields that decide the frames: not what it is called, and not where things are installed."""
        told = {"name", "title", "licence", "citation", "homepage", "knows", "seconds"}
        fields = self.model_dump(mode="json", exclude={*told, *INSTALLED, "path"})
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def load_method_file(path: Path) -> MethodFile:
    """Read a method file; the folders in it are made absolute, from the file's own folder on.

    Raises InputError where it is none.
    """
    file = read_toml(path, MethodFile, "method file")
    home = path.absolute().parent
    return file.model_copy(
        update={
            "checkout": file.checkout and located(file.checkout, home),
            "python": file.python and located(file.python, home, is_command=True),
            "path": tuple(located(each, home) for each in file.path),
        }
    )


def located(place: str, home: Path, *, is_command: bool = False) -> str:
    """Return a place as an absolute path, from ``home`` on; a command without a slash stays what it is."""
    return place if is_command and "/" not in place else str(home / Path(place).expanduser())


def shipped() -> Iterator[Path]:
    """The method files that come with vibench, by name."""
    yield from sorted(FOLDER.glob("*.toml"))


def is_numbered(name: str) -> bool:
    """Whether a name stands for pictures with a number in their own name, such as ``frames/%05d.png``."""
    path = PurePosixPath(name)
    return NUMBER.search(path.name) is not None and path.suffix.lower() in SUFFIXES


def is_video(name: str) -> bool:
    """Whether a name ends like that of a video."""
    return PurePosixPath(name).suffix.lower() in VIDEOS


def is_pattern(name: str) -> bool:
    """Whether the last part of a name leaves some of its characters open."""
    return any(letter in PurePosixPath(name).name for letter in "*?[")


def numbered(path: Path, number: int) -> Path:
    """Return ``path`` with ``number`` in the place of the ``%05d`` in its last part."""
    found = NUMBER.search(path.name)
    if found is None:
        raise ValueError(f"{path} has no number")
    width = int(found[1] or 0) if found[0].startswith("%0") else 0
    return path.with_name(f"{path.name[: found.start()]}{number:0{width}d}{path.name[found.end() :]}")


def _check_inside(name: str) -> None:
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\0" in name or path.parts[:1] == ("output",):
        raise ValueError(f"{name!r} must be the name of a file inside the job's folder, and not in its folder output")


def _check_pattern(pattern: str) -> None:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"seconds is no regular expression: {error}") from error
    if "seconds" not in groups:
        raise ValueError("seconds needs a group (?P<seconds>...) around the number that the program prints")
