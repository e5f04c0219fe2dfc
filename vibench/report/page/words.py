"""How it was measured: in sentences that a reader can check, and in the values behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vibench.report.numbers import average, counted_cases
from vibench.report.training import NOTES, last_training, training_of
from vibench.results.record import MethodFacts, RunInfo
from vibench.results.results import Results
from vibench.results.statistics import FEWEST, TOO_FEW

_SEEN = {
    "holed": "Methods see frames in which the pixels inside the holes are cut to 0.",
    "everything": "Methods see the frames as they are, with what is to be removed inside the holes.",
}


def sentences(results: Results) -> list[str]:
    """Say the protocol in sentences: data, size, holes, what is scored, how it is averaged."""
    protocol = results.protocol
    said = [_data(protocol, counted_cases(results)), _size(protocol.get("resize"))]
    said += [_holes(holes) for holes in protocol.get("holes", ())]
    said.append(_SEEN.get(str(protocol.get("sees", "holed")), ""))
    said += [*_scoring(protocol.get("scoring", {})), average(results)]
    said.append(
        "Time is measured from uint8 frames in to uint8 frames out, after a warm-up and with the device synchronised; "
        "reading files and computing metrics are not part of it."
    )
    said.append(
        "Intervals are 95 % studentised bootstrap intervals over clips, "
        f"Student's below {TOO_FEW} clips and none below {FEWEST}; "
        "differences between methods are paired clip by clip and tested by Wilcoxon's signed-rank test."
    )
    return [sentence for sentence in said if sentence]


def about_run(info: RunInfo) -> list[tuple[str, str]]:
    """Return pairs of a label and a text for everything that one needs to repeat a run."""
    machine = info.machine
    accelerators = ", ".join(str(name) for name in machine.get("accelerators") or ()) or "none"
    memory = machine.get("memory_bytes")
    processor = machine.get("processor", "unknown")
    threads = f"{machine.get('cores', '?')} cores, {machine.get('torch_threads', '?')} threads"
    return [
        ("Command", info.command),
        ("Started", info.started),
        ("Run", info.digest),
        ("Protocol", f"{info.protocol_label}, digest {info.protocol_digest}"),
        ("Processor", f"{processor}, {threads}"),
        ("Memory", f"{memory / 2**30:.1f} GiB" if isinstance(memory, int | float) else "unknown"),
        ("Accelerators", accelerators),
        ("Device", info.device),
        ("System", f"{machine.get('system', 'unknown')}, Python {machine.get('python', '?')}"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in info.versions.items())),
        ("Commit", info.commit or "installed package, no checkout"),
    ]


def about_method(facts: MethodFacts) -> list[tuple[str, str]]:
    """Return pairs of a label and a text: factory, code, options, and what the method says of itself.

    What it says may be hashes of weights, the number of parameters and the like.
    """
    lines = [("Factory", facts.factory), ("Code", f"sha256 {facts.source_sha256}")]
    if facts.knows:
        lines.append(("Knows", facts.knows))
    if facts.options:
        lines.append(("Options", ", ".join(f"{key} = {value}" for key, value in facts.options.items())))
    told = {"Trained": training_of(facts), "Last training": last_training(facts)}
    lines += [(name, text) for name, text in told.items() if text]
    return lines + [
        (key.replace("_", " "), _value(value))
        for key, value in facts.facts.items()
        if key not in ("warning", "knows") and not (key == NOTES and isinstance(value, Mapping))
    ]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_value, value))})"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return f"{value:,}".replace(",", " ") if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _data(protocol: dict[str, Any], cases: str) -> str:
    data = protocol.get("data", {})
    split = f", split {data['split']}" if data.get("split") else ""
    frames = f", the first {data['frames']} frames of each clip" if data.get("frames") else ""
    return f"Data set {data.get('dataset', 'unknown')}{split}{frames}: {cases}, seed {protocol.get('seed')}."


def _size(resize: dict[str, Any] | None) -> str:
    if not resize:
        return "Frames keep their own size."
    return (
        f"Frames are resized to {resize['width_px']} × {resize['height_px']} px by the filter {resize['filter']}, "
        "masks by nearest neighbour."
    )


def _holes(holes: dict[str, Any]) -> str:
    origin = {
        "objects": "the clip's own object silhouettes",
        "other-objects": "the silhouettes of the next clip's object"
        if holes.get("pairing", "next") == "next"
        else "the silhouettes of an object of another clip, drawn for each case",
    }.get(str(holes.get("source")), f"the seeded generator {holes.get('generator')}")
    options = ", ".join(f"{key} = {value}" for key, value in (holes.get("options") or {}).items())
    grown = holes.get("dilation_iterations") or 0
    dilation = f", dilated {grown} times by a 3×3 cross" if grown else ", not dilated"
    pasted = "; that object itself is pasted in, to be removed" if holes.get("paste") else ""
    given = f"; methods are given another mask: {_given(holes['given'])}" if holes.get("given") else ""
    said = f"{origin}{f' ({options})' if options else ''}{_instances(holes)}{dilation}{pasted}{given}"
    return f"Holes “{holes.get('name')}” come from {said}."


def _instances(holes: dict[str, Any]) -> str:
    chosen = holes.get("instances") or ()
    return f", of which those numbered {', '.join(map(str, chosen))}" if chosen else ""


def _given(given: dict[str, Any]) -> str:
    """Say what became of the mask, in the words of ``vibench.protocol.Given``."""
    return {
        "eroded": f"the hole eroded {given.get('px')} times by a 3×3 cross",
        "dilated": f"the hole dilated {given.get('px')} times by a 3×3 cross",
        "shifted": f"the hole shifted by {given.get('px')} px in a direction drawn for each case",
        "box": "the bounding rectangle of the hole in each frame",
        "late": f"the hole of {given.get('frames')} frames earlier",
        "missing": f"the hole, but none in a drawn share of {given.get('share')} of the frames",
    }.get(str(given.get("how")), str(given))


def _scoring(scoring: dict[str, Any]) -> list[str]:
    return [
        {
            "holes": "Only a method's pixels inside the hole are taken; outside, the input is scored.",
            "none": "A method's frames are scored as returned, also outside the hole; for the region “kept”, which is "
            "all that lies outside, both pictures show the truth inside the hole. A side effect of the object, where "
            "it is known, is the region “effect” and not kept.",
        }.get(str(scoring.get("composite")), ""),
        {
            "round": "Frames of floating point are rounded to uint8 before scoring.",
            "truncate": "Frames of floating point are cut off to uint8 before scoring.",
        }.get(str(scoring.get("quantise")), ""),
    ]
