"""Manifests: every case of a protocol with the hash of its holes, so that anybody can compare theirs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from vibench.clip import Case, digest
from vibench.data.cases import build_case, check_generators
from vibench.data.dataset import Dataset
from vibench.data.layouts import open_clips
from vibench.document import Frozen, read_json
from vibench.errors import InputError, UserError, foreign
from vibench.files import bundled, replacing
from vibench.protocol import Protocol


class Entry(Frozen):
    """One case of a manifest.

    ``generator`` is the name of a mask generator, or ``objects`` or ``other-objects``. ``sha256`` is the hash of the
    case's holes, bool (T, H, W) after dilation, over their shape, dtype and bytes; see ``vibench.clip.digest``.
    ``given_sha256`` is that of the masks that a method is given where these are not the holes.
    """

    case: str
    clip: str
    frames: int
    height: int
    width: int
    generator: str
    seed: int
    sha256: str
    given_sha256: str | None = None


class Manifest(Frozen):
    """All cases of one protocol, with the digest of that protocol."""

    protocol: str
    digest: str
    cases: tuple[Entry, ...]

    def entry(self, case: str) -> Entry | None:
        """Return the entry of a case, or None where the manifest has none."""
        return {entry.case: entry for entry in self.cases}.get(case)


def entries(protocol: Protocol, clips: Dataset) -> Iterator[Entry]:
    """Yield one entry per case, in the protocol's order; raise InputError where a clip cannot be read."""
    for planned in protocol.plan(list(protocol.data.clips) or clips.clip_names()):
        case = build_case(protocol, planned, clips)
        frames, height, width = case.holes.shape
        yield Entry(
            case=case.name,
            clip=planned.clip,
            frames=frames,
            height=height,
            width=width,
            generator=planned.holes.generator or planned.holes.source,
            seed=planned.seed,
            sha256=digest(case.holes),
            given_sha256=None if case.given is None else digest(case.given),
        )


def write_manifest(protocol: Protocol, data: Path | None, output: Path) -> int:
    """Write the manifest of ``protocol`` as JSON and return how many cases it has."""
    check_generators(protocol)
    clips = open_clips(protocol, data)
    manifest = Manifest(protocol=protocol.label, digest=protocol.digest, cases=tuple(entries(protocol, clips)))
    with foreign(f"cannot write {output}", UserError), replacing(output) as partial:
        partial.write_text(as_text(manifest), encoding="utf-8")
    return len(manifest.cases)


def as_text(manifest: Manifest) -> str:
    """Return JSON with one line per case, so that a person can read the difference between two manifests."""
    lines = ",\n".join(f"  {entry.model_dump_json(exclude_none=True)}" for entry in manifest.cases)
    return f'{{"protocol": "{manifest.protocol}", "digest": "{manifest.digest}", "cases": [\n{lines}\n]}}\n'


@cache
def published(label: str) -> Manifest | None:
    """Return the manifest that travels with vibench for ``name@version``, or None."""
    path = bundled("datasets") / "manifests" / f"{label}.json"
    return read_manifest(path) if path.is_file() else None


def read_manifest(path: Path) -> Manifest:
    """Read one manifest; raise InputError where the file is not one."""
    return read_json(path, Manifest, "manifest of vibench")


def check_against_published(protocol: Protocol, case: Case) -> None:
    """Raise InputError where this protocol has a published manifest that gives other holes to ``case``."""
    manifest = published(protocol.label)
    if manifest is None or manifest.digest != protocol.digest:
        return
    entry = manifest.entry(case.name)
    if entry is None:
        raise InputError(f"case {case.name!r} is not in the published manifest of {protocol.label}: its data differs")
    masks = [("holes", case.holes, entry.sha256), ("given masks", case.given, entry.given_sha256)]
    for what, ours, theirs in masks:
        found = None if ours is None else digest(ours)
        if found != theirs:
            raise InputError(
                f"the {what} of case {case.name!r} have sha256 {str(found)[:12]} and the published manifest of "
                f"{protocol.label} says {str(theirs)[:12]}: the data, a mask generator or a library differs, "
                "so its numbers would not compare"
            )
