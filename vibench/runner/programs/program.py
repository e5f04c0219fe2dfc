"""A program as a method: it is run once for each clip, in a folder of its own, and asked in a child's words."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from vibench.clip import Frame, Frames, Holed, Mask
from vibench.errors import InputError, MissingResource, UserError
from vibench.files import disk_errors
from vibench.machine import stopwatch
from vibench.machine.host import ChildFailed
from vibench.machine.processes import THREAD_VARIABLES, owned_folder
from vibench.runner.programs.handover import Given, fetch, given, hand_over
from vibench.runner.programs.identity import Identity, identity_of
from vibench.runner.programs.interpreter import NOT_INHERITED
from vibench.runner.programs.method_file import INSTALLED, MethodFile, Option
from vibench.runner.programs.process import Ended, run_program
from vibench.runner.programs.template import filled_in, names_in

PREFIX = "vibench-program-"


class Program:
    """A program that a method file describes, with values for its options.

    ``notes`` are sentences about the clip that was filled last. Raises MissingResource where the program is not on this
    machine.
    """

    streams = False

    def __init__(self, file: MethodFile, options: Mapping[str, Option], device: str = "cpu", threads: int = 0) -> None:
        if file.output is None:
            raise ValueError(f"{file.name} is no program")
        self.file, self.output, self.device, self.threads = file, file.output, device, threads
        self.options = {**file.options, **options}
        self.notes: tuple[str, ...] = ()
        self._installed = {**self.options, **{name: getattr(file, name) for name in INSTALLED}}
        _check_installed(file, self._installed, self._environment(self._installed))

    @cached_property
    def identity(self) -> Identity:
        """Its commit, version and weights on this machine."""
        return identity_of(self.file, self._installed, self._environment(self._installed))

    @property
    def described(self) -> dict[str, Any]:
        """What stands in the run's page about it."""
        found = {
            "program": " ".join(self.file.command), "code": self.identity.code, "version": self.identity.version,
            "weights": dict(self.identity.weights), "weights_sha256": self.identity.weights_sha256,
            "knows": self.file.knows, "licence": self.file.licence,
            "citation": self.file.citation, "homepage": self.file.homepage,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value}

    def __call__(self, holed: Holed) -> Frames:
        """Fill a clip; ChildFailed where the program does not."""
        return self.fill(holed)[0]

    def fill(
        self,
        holed: Holed,
        *,
        seed: int = 0,
        how: str = "round",
        timed: bool = True,
        limit_seconds: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[Frames, dict[str, Any] | None]:
        """Fill a clip: uint8 frames (T, H, W, 3), and the fields of a Timing.

        Raises ChildFailed where the clip does not fit, where the program fails or takes longer than ``limit_seconds``,
        and where it leaves something else than one frame for each of its size. ``how`` does not matter, since it leaves
        whole numbers.
        """
        self.notes = ()
        try:
            clip = given(holed, self.file.input)
        except UserError as error:
            raise ChildFailed("bad-input", str(error)) from error
        load = stopwatch.read_load()
        with _job() as job:
            values, ended = self._run(clip, job, seed, limit_seconds)
            try:
                frames = fetch(self.output, clip, job, filled_in(self.output.frames, values))
            except UserError as error:
                raise ChildFailed("error", str(error), ended.printed) from error
        self.notes = tuple(self._noted(clip, frames, ended))
        fields = self._timing(ended, len(holed.frames), load) if timed else None
        return clip.restored(frames), fields

    def stream(
        self,
        pairs: Iterator[tuple[Frame, Mask]],
        height: int,
        width: int,
        *,
        seed: int = 0,
        how: str = "round",
        limit_seconds: float | None = None,
    ) -> Iterator[Frame]:
        """Raise ValueError: a program takes whole clips."""
        raise ValueError(f"{self.file.name} does not stream")

    def hold(self, holed: Holed) -> None:
        """Raise InputError: what ``job`` would measure is a loaded method."""
        raise InputError(f"{self.file.name} is a program, run anew for each clip; vibench run says how long that takes")

    def job(
        self, function: Callable[..., dict[str, Any]], limit_seconds: float | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Raise InputError, as ``hold`` does."""
        raise InputError(f"{self.file.name} is a program, in which no function of vibench's can be called")

    def close(self) -> None:
        """There is nothing to be ended between two clips."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, clip: Given, job: Path, seed: int, limit_seconds: float | None) -> tuple[dict[str, object], Ended]:
        try:
            with disk_errors(job):
                paths = hand_over(clip, job)
                output = job / "output"
                output.mkdir()
                values: dict[str, object] = {
                    **self._installed, **clip.values, **paths, "output": str(output), "job": str(job), "seed": seed,
                    "device": self.device, "threads": self.threads,
                }  # fmt: skip
                self._lay(job, values)
        except UserError as error:
            raise ChildFailed("bad-input", str(error)) from error
        command = [filled_in(word, values) for word in self.file.command]
        folder = Path(filled_in(self.file.folder, values))
        ended = run_program(
            command, job, folder, self._environment(values), limit_seconds=limit_seconds, seconds=self.file.seconds
        )
        return values, ended

    def _lay(self, job: Path, values: Mapping[str, object]) -> None:
        """Write the method file's own files and links into the job's folder."""
        for name, text in self.file.files.items():
            (job / name).parent.mkdir(parents=True, exist_ok=True)
            (job / name).write_text(filled_in(text, values), encoding="utf-8")
        for name, text in self.file.links.items():
            target = Path(filled_in(text, values))
            if not target.exists():
                raise MissingResource(f"{self.file.name} needs {target}, which is not there")
            (job / name).parent.mkdir(parents=True, exist_ok=True)
            (job / name).symlink_to(target)

    def _environment(self, values: Mapping[str, object]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        threads = dict.fromkeys(THREAD_VARIABLES, str(self.threads)) if self.threads else {}
        known = {name: text for name, text in self.file.environment.items() if set(names_in(text)) <= values.keys()}
        return {**inherited, **threads, **{name: filled_in(text, values) for name, text in known.items()}}

    def _timing(self, ended: Ended, frames: int, load: stopwatch.Load) -> dict[str, Any]:
        """The seconds that the program printed where it was asked to, else those of its whole process."""
        seconds = ended.seconds if ended.printed_seconds is None else ended.printed_seconds
        return {
            "scope": "process" if ended.printed_seconds is None else "printed",
            "device": self.device,
            "seconds": seconds,
            "frames": frames,
            "first_frame_seconds": seconds,
            "warm_up_seconds": max(0.0, ended.seconds - seconds),
            "peak_host_bytes": ended.peak_bytes,
            "threads": self.threads or 1,
            "cpu_seconds": ended.cpu_seconds,
            "involuntary_switches": ended.involuntary_switches,
            "stolen_share": stopwatch.read_load().stolen_share(load),
            "load_average": stopwatch.load_average(),
        }

    def _noted(self, clip: Given, frames: Frames, ended: Ended) -> Iterator[str]:
        if self.file.seconds and ended.printed_seconds is None:
            yield "it printed no line in which its seconds are looked for, so that its whole process was timed"
        share, mean, most = _changes_outside(clip, frames)
        if share:
            yield (
                f"it changed {share:.1%} of the values outside the hole, by {mean:.1f} of 255 levels on average and "
                f"{most} at most" + (": it encoded the frames again" if share > 0.5 else "")
            )


def _changes_outside(clip: Given, frames: Frames) -> tuple[float, float, int]:
    """Which share of the values outside the hole differs from what the program was given; by how much, and at most."""
    values = changed = total = most = 0
    for before, after, mask in zip(clip.frames, frames, clip.masks, strict=True):
        difference = np.abs(before[~mask].astype(np.int16) - after[~mask])
        values += difference.size
        changed += int(np.count_nonzero(difference))
        total += int(difference.sum())
        most = max(most, int(difference.max(initial=0)))
    return changed / max(1, values), total / max(1, changed), most


def _check_installed(file: MethodFile, values: Mapping[str, object], environment: Mapping[str, str]) -> None:
    """Raise MissingResource where the program's checkout, its interpreter or itself is not on this machine."""
    used = {name for text in (*file.templates, *file.version) for name in names_in(text)}
    for name, example in (("checkout", "FOLDER"), ("python", "FOLDER/bin/python")):
        if name in used and not values[name]:
            raise MissingResource(
                f"{file.name} needs its {name}: write {file.name}[{name}={example}]; "
                "docs/method-files.md says how to get it"
            )
    if file.checkout and not Path(file.checkout).is_dir():
        raise InputError(f"{file.name}: there is no folder {file.checkout}; its checkout should be there")
    if set(names_in(file.command[0])) <= values.keys():
        word = filled_in(file.command[0], values)
        if shutil.which(word, path=environment.get("PATH")) is None:
            raise MissingResource(f"{file.name} needs the program {word!r}, which is not on this machine")


@contextmanager
def _job() -> Iterator[Path]:
    """A new folder for one run, removed when the block has ended; those of processes that were killed go now."""
    place = Path(tempfile.gettempdir())
    with disk_errors(place):
        job = owned_folder(place, PREFIX).resolve()
    try:
        yield job
    finally:
        shutil.rmtree(job, ignore_errors=True)
