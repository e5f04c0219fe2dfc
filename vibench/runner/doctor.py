"""What this installation can do: the machine, versions, cache, encoders and extras, and what each metric lacks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

from vibench import plugins
from vibench.errors import UserError, one_line
from vibench.files import cache_root
from vibench.machine.facts import commit, machine_facts, package_versions

VARIABLES = (
    "VIBENCH_CACHE", "VIBENCH_CACHE_BYTES", "VIBENCH_OFFLINE", "VIBENCH_I3D_WEIGHTS", "VIBENCH_VGG16_WEIGHTS",
    "VIBENCH_TRACEBACK",
)  # fmt: skip
"""The environment variables that vibench reads; docs/environment.md says what each does."""

ENCODERS = {"libx264": "H.264, for .mp4, .mov and .m4v", "ffv1": "FFV1, lossless, for .mkv and kept frames"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox")


class Examined(NamedTuple):
    """One thing that was looked at: ``is_there`` is False where something is missing, and ``about`` says what."""

    part: str
    name: str
    is_there: bool
    about: str


def examine() -> list[Examined]:
    """Look at everything that decides what vibench can do here; this makes every metric once, which takes seconds.

    The parts, in this order: ``machine``, ``package``, ``extra`` (optional packages), ``cache``, ``variable`` (the
    environment), ``encoder``, ``browser`` (for the tests of reports only), ``method`` and ``metric``.
    """
    parts: tuple[Callable[[], Iterator[Examined]], ...] = (
        _machine, _packages, _extras, _cache, _variables, _encoders, _browser, _methods, _metrics,
    )  # fmt: skip
    return [one for part in parts for one in part()]


def doctor_text(found: list[Examined]) -> str:
    """What ``examine`` found, as lines of text: a heading for each part, and a cross before what is missing."""
    lines: list[str] = []
    part = ""
    for one in found:
        if one.part != part:
            part = one.part
            lines += ["", part] if lines else [part]
        lines.append(f"  {' ' if one.is_there else 'x'} {one.name:<24}  {one.about}")
    return "\n".join(lines)


def _machine() -> Iterator[Examined]:
    for name, value in machine_facts().items():
        shown = ", ".join(value) if isinstance(value, list) else value
        yield Examined("machine", name, True, str(shown if shown != "" else "none"))


def _packages() -> Iterator[Examined]:
    at = commit()
    for name, installed in package_versions().items():
        place = f" at commit {at}" if name == "vibench" and at else ""
        yield Examined("package", name, installed != "not installed", installed + place)


def _extras() -> Iterator[Examined]:
    """The packages of every optional group but ``dev``, which only who changes vibench needs."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in requires("vibench") or []]
    except PackageNotFoundError:
        return
    for requirement in wanted:
        group = str(requirement.marker or "").partition("extra == ")[2].strip("\"'")
        if group in ("", "dev"):
            continue
        try:
            yield Examined("extra", f"{group}: {requirement.name}", True, version(requirement.name))
        except PackageNotFoundError:
            yield Examined("extra", f"{group}: {requirement.name}", False, f"pip install 'vibench[{group}]'")


def _cache() -> Iterator[Examined]:
    from vibench.metrics.cache import cache_state

    place = cache_root()
    nearest = next(folder for folder in (place, *place.parents) if folder.exists())
    writable = os.access(nearest, os.W_OK)
    about = str(place) if writable else f"{place} cannot be written: flow and features are computed each time"
    yield Examined("cache", "place", writable, about)
    for kind, files, size in cache_state():
        yield Examined("cache", kind, True, f"{files} files, {size / 1e6:.1f} MB")


def _variables() -> Iterator[Examined]:
    for name in VARIABLES:
        value = os.environ.get(name)
        is_missing_file = name.endswith("_WEIGHTS") and value is not None and not Path(value).is_file()
        about = "not set" if value is None else one_line(value) + (" is no file" if is_missing_file else "")
        yield Examined("variable", name, not is_missing_file, about)


def _encoders() -> Iterator[Examined]:
    from av.codec import codecs_available

    for name, purpose in ENCODERS.items():
        yield Examined("encoder", name, name in codecs_available, purpose)


def _browser() -> Iterator[Examined]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    yield Examined("browser", "for the tests", found is not None, found or "none: tests of reports in a browser skip")


def _methods() -> Iterator[Examined]:
    for name in plugins.names("methods"):
        try:
            build = plugins.factory("methods", name)
        except UserError as error:
            yield Examined("method", name, False, str(error))
        else:
            yield Examined("method", name, True, f"{build.__module__}:{build.__qualname__}")


def _metrics() -> Iterator[Examined]:
    from vibench.metrics.networks.weights import offline

    for name in plugins.names("metrics"):
        try:
            with offline():
                plugins.make("metrics", plugins.Spec(name), device="cpu")
        except UserError as error:
            yield Examined("metric", name, False, one_line(str(error), 400))
        else:
            yield Examined("metric", name, True, "ready")
