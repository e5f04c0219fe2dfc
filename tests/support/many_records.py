"""A run with as many records as one likes, written straight into the files of its folder: no frames, and no waiting."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from small_run import PSNR, WARPING, record, run_info, timing

from vibench.files import slug
from vibench.results.record import Record
from vibench.results.store import Store

METHODS = 10
HOLES = 2
FRAMES = 24


def write_many(output: Path, count: int) -> Store:
    """``count`` records of ten methods on ``count / 10`` cases, two cases a clip, 24 frames each."""
    cases = [f"clip{k // HOLES:06d}/{('square', 'object')[k % HOLES]}" for k in range(count // METHODS)]
    info = run_info([f"method{k}" for k in range(METHODS)], cases, metrics=(PSNR, WARPING))
    store = Store.create(output, info)
    generator = np.random.default_rng(len(cases))
    for method in info.methods:
        folder = store.folder / "records" / slug(method.label)
        folder.mkdir(parents=True)
        for case in cases:
            made = many_record(generator, method.label, case)
            text = json.dumps(made.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False)
            (folder / f"{slug(case)}.json").write_text(text + "\n")
    return store


def many_record(generator: np.random.Generator, method: str, case: str) -> Record:
    """A scored and timed record with the hashes, attributes and versions of a real one."""
    hard = 3 * np.sin(sum(map(ord, case)))
    psnr = 25 + hard + 0.3 * int(method[-1]) + generator.normal(0, 1, FRAMES)
    scores = {
        "psnr": {"frame": list(psnr + 9), "hole": list(psnr)},
        "warping-error-dis": {"frame": list(np.abs(generator.normal(0.003, 0.001, FRAMES - 1)))},
    }
    info = run_info([method], [case])
    clip, _, hole = case.partition("/")
    seen = {name: (f"{sum(map(ord, clip)) + k:08x}" * 8) for k, name in enumerate(("input_sha256", "truth_sha256"))}
    return record(
        info, method, case, scores, **seen, holes_sha256=f"{sum(map(ord, case)):08x}" * 8,
        output_sha256=generator.bytes(32).hex(), timing=timing(float(generator.uniform(1, 3)), FRAMES),
        attributes={"clip": clip, "hole": hole, "hole motion": float(abs(hard)), "camera motion": float(hard**2)},
        measured_by=dict.fromkeys(scores, "c" * 64),
        versions={"vibench": "0.1.0", "numpy": "2.4.6", "torch": "2.14.1", "opencv": "4.13.0", "av": "16.0"},
    )  # fmt: skip
