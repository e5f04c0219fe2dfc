"""A small finished run, written through the real store: what the tests of tables and reports read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from vibench.clip import Case, Frames, digest
from vibench.machine.timing import Timing
from vibench.results.record import Failure, MethodFacts, MetricFacts, Record, RunInfo
from vibench.results.store import Store

PSNR = MetricFacts(name="psnr", title="PSNR", unit="dB", better="higher", has_floor=False, source="peak 255", version=1)
WARPING = MetricFacts(
    name="warping-error-dis",
    title="Flow warping error",
    unit="",
    better="lower",
    has_floor=True,
    source="Lai",
    version=1,
)

Scores = Mapping[str, Sequence[float | None]]
"""Case -> the values of one metric, one a frame."""


def run_info(
    methods: Sequence[str],
    cases: Sequence[str],
    *,
    digest: str = "d1" * 32,
    protocol_digest: str = "p1" * 32,
    averaging: str = "clips",
    warnings: Mapping[str, str] | None = None,
    knows: Mapping[str, str] | None = None,
    metrics: Sequence[MetricFacts] = (PSNR,),
    machine: Mapping[str, object] | None = None,
    task: str = "restore",
) -> RunInfo:
    return RunInfo(
        digest=digest,
        protocol={
            "name": "small", "version": 1, "title": "A small run", "description": "Made up.", "seed": 1, "task": task,
            "holes": [{"name": "square", "generator": "stationary-square", "dilation_iterations": 0}],
            "scoring": {"composite": "holes", "quantise": "round", "averaging": averaging, "metrics": ["psnr"]},
        },
        protocol_label="small@1",
        protocol_digest=protocol_digest,
        methods=tuple(
            MethodFacts(
                label=method, factory=f"somewhere:{method}", source_sha256="5" * 64,
                facts={
                    key: said[method]
                    for key, said in (("warning", warnings or {}), ("knows", knows or {}))
                    if method in said
                },
            )
            for method in methods
        ),
        metrics=tuple(metrics),
        cases=tuple(cases),
        machine=dict(machine or {"processor": "made up", "cores": 2, "accelerators": [], "torch_threads": 1}),
        versions={"vibench": "0.1.0", "numpy": "2.0"},
        commit="abc",
        data=None,
        device="cpu",
        command="vibench run --methods telea",
        started="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def record(
    info: RunInfo, method: str, case: str, scores: Mapping[str, Mapping[str, Sequence[float | None]]], **changes: object
) -> Record:
    """``scores`` is metric -> region -> values."""
    frames = max((len(values) for regions in scores.values() for values in regions.values()), default=1)
    return Record(
        run=info.digest,
        method=method,
        case=case,
        status="scored",
        frames=frames,
        height=24,
        width=32,
        hole_fraction=0.1,
        holes_sha256="a" * 64,
        attributes={"clip": case.partition("/")[0], "hole": case.partition("/")[2]},
        metrics={
            name: {region: tuple(values) for region, values in regions.items()} for name, regions in scores.items()
        },
    ).model_copy(update=changes)


def psnr_records(info: RunInfo, scores: Mapping[str, Scores]) -> list[Record]:
    """``scores`` is method -> case -> PSNR of each frame."""
    return [
        record(info, method, case, {"psnr": {"frame": values}})
        for method, cases in scores.items()
        for case, values in cases.items()
    ]


def failed(info: RunInfo, method: str, case: str, message: str) -> Record:
    failure = Failure(kind="error", message=message)
    return Record(run=info.digest, method=method, case=case, status="failed", failure=failure)


def timing(seconds: float, frames: int, per_frame: bool = True) -> Timing:
    return Timing(
        device="cpu",
        seconds=seconds,
        frames=frames,
        frame_seconds=tuple(np.full(frames, seconds / frames)) if per_frame else (),
        first_frame_seconds=seconds / frames if per_frame else seconds,
        warm_up_seconds=0.1,
        peak_host_bytes=50_000_000,
    )


def moving_texture(frames: int, height: int, width: int, seed: int) -> Frames:
    """A smooth random texture that moves by a pixel a frame: (frames, height, width, 3)."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(40, 215, (height // 8 + 2, (width + frames) // 8 + 2, 3))
    fine = np.kron(coarse, np.ones((8, 8, 1)))
    for axis in (0, 1):
        fine = (fine + np.roll(fine, 3, axis) + np.roll(fine, -3, axis)) / 3
    return np.stack([fine[:height, t : t + width] for t in range(frames)]).astype(np.uint8)


def real_clip(frames: int, height: int, width: int, seed: int) -> Frames:
    """A bundled clip, forth and back, made as large as asked, with a little grain: (frames, height, width, 3).

    The grain stands for that of a camera, which pictures that were made larger lack and a video codec must pay for.
    """
    import cv2

    from vibench.data.layouts import open_dataset

    dataset = open_dataset("bundled")
    source = dataset.load(list(dataset.frame_counts)[seed % len(dataset.frame_counts)]).frames
    generator = np.random.default_rng(seed)
    period = 2 * len(source) - 2
    places = (np.arange(frames) + generator.integers(period)) % period
    larger = [
        cv2.resize(source[place], (width, height), interpolation=cv2.INTER_CUBIC)
        for place in np.minimum(places, period - places)
    ]
    grain = (2 * generator.standard_normal((height, width, 3), np.float32) for _ in range(frames))
    return np.stack(
        [np.clip(frame + noise, 0, 255).astype(np.uint8) for frame, noise in zip(larger, grain, strict=True)]
    )


def write_run(
    folder: Path, methods: Sequence[str], cases: Sequence[str], frames: int = 6, height: int = 48, width: int = 64,
    fails: Sequence[tuple[str, str]] = (), pictures: Callable[[int, int, int, int], Frames] = moving_texture,
    **info_changes: object,
) -> Store:  # fmt: skip
    """A run with pictures: method k is off by 6 (k + 1) grey levels in the hole, more so in later cases.

    ``pictures(frames, height, width, seed)`` is the truth of case number ``seed``; it may be shorter.
    """
    info = run_info(methods, cases, metrics=(PSNR, WARPING), **info_changes)  # type: ignore[arg-type]
    store = Store.create(folder, info)
    for place, name in enumerate(cases):
        truth = pictures(frames, height, width, place)
        holes = np.zeros(truth.shape[:3], bool)
        holes[:, height // 4 : height // 2, width // 4 : width // 2] = True
        case = Case(name=name, frames=truth, holes=holes, truth=truth)
        for index, method in enumerate(methods):
            if (method, name) in fails:
                store.keep(failed(info, method, name, "the method fell over <here> & there"), case=case)
                continue
            error = 6 * (index + 1) + place
            output = truth.copy()
            output[holes] = np.clip(output[holes].astype(int) + error, 0, 255)
            store.keep(_scored(info, method, name, error, len(truth), index, digest(output)), output, case=case)
        store.keep(record(info, "truth", name, {"warping-error-dis": {"frame": [0.001] * (len(truth) - 1)}}))
    return store


def _scored(info: RunInfo, method: str, case: str, error: float, frames: int, index: int, output_sha256: str) -> Record:
    psnr = 20 * np.log10(255 / error)
    waves = 0.3 * np.sin(np.arange(frames) + index)
    scores = {
        "psnr": {"frame": list(psnr + 9 + waves), "hole": list(psnr + waves)},
        "warping-error-dis": {"frame": [0.001 + 0.0002 * error] * (frames - 1)},
    }
    return record(
        info, method, case, scores, timing=timing(0.05 * (index + 1) * frames, frames), output_sha256=output_sha256
    )
