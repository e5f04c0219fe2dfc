"""Makes docs/calibration.md: `python docs/calibration.py`. Our numbers against what the originals' own code gave.

The inputs and expected numbers are those of ``tests/golden/metrics``; nothing here is typed by hand but the reasons.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import skimage.data

sys.path.insert(
    0, str(Path(__file__).parents[2] / "tests" / "support")
)  # the golden clip is a fixture, not part of the package

from golden_metrics import EXPECTED, array, golden_case, golden_composite, truncated_composite

from vibench import plugins
from vibench.clip import Case, Frames
from vibench.data.cases import build_case
from vibench.data.layouts import open_dataset
from vibench.errors import MissingResource
from vibench.media.resize import dilate, resize_frames, resize_masks
from vibench.metrics.flow import sources as flow_sources
from vibench.metrics.flow.motion import Motion
from vibench.metrics.flow.sources import FlowSource
from vibench.metrics.frechet import frechet_distance
from vibench.metrics.ssim import C1, C2
from vibench.metrics.ssim_sttn import SAMPLE_COVARIANCE, WINDOW_PX
from vibench.metrics.warping_error import exact_motion, warped_differences
from vibench.plugins import Spec
from vibench.protocol import load_protocol

PAGE = Path(__file__).parents[1] / "calibration.md"
STTN, DEVIL, LIBRARIES = EXPECTED["sttn_family"], EXPECTED["devil"], EXPECTED["libraries"]


class Line(NamedTuple):
    """One row: what, ours and the original's number, the largest difference of any value of the series."""

    what: str
    ours: float
    original: float
    largest: float


def line(what: str, ours: Any, original: Any) -> Line:
    """Means of both and the largest difference of their values."""
    one, other = np.atleast_1d(np.asarray(ours, np.float64)), np.atleast_1d(np.asarray(original, np.float64))
    return Line(what, float(one.mean()), float(other.mean()), float(np.abs(one - other).max()))


def values(metric: str, region: str, frames: Frames, case: Case) -> list[float | None]:
    """The series that a metric of ours gives."""
    made: Any = plugins.make("metrics", Spec.parse(metric), device="cpu")
    return list(made.measure(frames, case)[region].values)


def frame_metrics(case: Case) -> Iterator[Line]:
    """PSNR, SSIM and LPIPS of each family."""
    both: dict[str, Callable[[], Frames]] = {"rounded": golden_composite, "truncated": truncated_composite}
    for how, composite in both.items():
        frames, expected = composite(), STTN[f"composite_{how}"]
        yield line(f"`psnr`, {how} composite (STTN family)", values("psnr", "frame", frames, case), expected["psnr"])
        ours = values("ssim-sttn", "frame", frames, case)
        yield line(f"`ssim-sttn`, {how} composite (STTN family)", ours, expected["ssim_window65"])
    frames = golden_composite()
    yield line("`psnr`, mean over frames (DEVIL)", np.mean(values("psnr", "frame", frames, case)), DEVIL["psnr"])  # type: ignore[arg-type]
    yield line("`psnr` in the hole", values("psnr", "hole", frames, case), LIBRARIES["hole_psnr"])
    gaussian = values("ssim-gaussian", "frame", frames, case)
    yield line("`ssim-gaussian` (scikit-image)", gaussian, LIBRARIES["skimage_ssim_gaussian"])
    yield line("`ssim-gaussian` (piq)", gaussian, LIBRARIES["piq_ssim_range255_no_downsample"])
    lpips = values("lpips-alex", "frame", frames, case)
    yield line("`lpips-alex` (lpips 0.1.4)", lpips, EXPECTED["lpips_alex_v0.1"]["per_frame"])


def temporal_metrics(case: Case) -> Iterator[Line]:
    """Warping error of Lai et al. and of DEVIL, and DEVIL's patch consistency."""
    frames, lai = golden_composite(), EXPECTED["lai_warping_error"]
    for name, clip in (("composite", frames), ("truth", case.frames)):
        ours = values("warping-error-exact", "frame", clip, case)
        yield line(f"`warping-error-exact` of the {name} (Lai et al.)", ours, lai[name]["per_pair"])
    hole = values("warping-error-devil-exact", "hole", frames, case)
    yield line("`warping-error-devil-exact`, hole (DEVIL)", np.mean(hole), DEVIL["warp_error_mask"])  # type: ignore[arg-type]
    for region, name in (("frame", "pcons_psnr"), ("hole", "pcons_psnr_mask")):
        found = values("patch-consistency-devil", region, frames, case)
        yield line(f"`patch-consistency-devil`, {region} (DEVIL)", np.mean(found), DEVIL[name])  # type: ignore[arg-type]


def distances(case: Case) -> Iterator[Line]:
    """Frechet distances, and I3D features where their weights are on this machine."""
    for name in ("activations", "activations_rank_deficient"):
        with np.load(PAGE.parent.parent / "tests" / "golden" / "metrics" / f"{name}.npz") as sets:
            first, second = (np.asarray(sets[key], np.float64) for key in sets.files[:2])
        ours = frechet_distance(first, second)
        yield line(f"Frechet distance, {name.replace('_', ' ')}", ours, EXPECTED["frechet_distance"][f"{name}.npz"])
    order = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5]
    for metric, setting in (("vfid", "eval_minus1_1"), ("vfid-sttn", "train_0_1")):
        for name, clip in (("truth", case.frames), ("composite", golden_composite())):
            ours_features = values(metric, "features", clip[order], case)
            expected = array("i3d_features.npz", f"{name}_{setting}")
            yield line(f"`{metric}` features of the {name}", ours_features, expected)


FLOOR_CLIPS = ("fence", "rabbit", "walker")
SHIFTS_PX = ((3, -2), (0, 1), (4, -4), (8, -8), (-6, 5))
FLOWS: dict[str, Callable[[], FlowSource]] = {"dis": flow_sources.dis, "gmflow": flow_sources.gmflow}


def floors() -> Iterator[str]:
    """Rows: warping error of the truth itself, which no method can be expected to go below."""
    clips = open_dataset("bundled", None, None)
    for name in FLOOR_CLIPS:
        frames = clips.load(name).frames
        yield _floor_row(
            f"`{name}`, bundled", frames, {name: source().motion(frames) for name, source in FLOWS.items()}
        )
    scenes = load_protocol("synthetic@1")
    data = open_dataset("synthetic", None, None)
    for planned in list(scenes.plan(data.clip_names()))[::7]:
        case = build_case(scenes, planned, data)
        assert case.truth is not None
        yield _floor_row(f"`{planned.clip}`, synthetic", case.truth, {"exact": exact_motion(case.truth, case)})


def _floor_row(title: str, frames: Frames, motions: dict[str, Motion]) -> str:
    cells = []
    for flow in ("dis", "gmflow", "exact"):
        found = [v for v in warped_differences(frames, motions[flow])[0] if v is not None] if flow in motions else []
        cells.append(f"{np.mean(found):.6f} of {motions[flow].visible.mean():.0%}" if found else "-")
    return f"| {title} | {' | '.join(cells)} |"


def shifted() -> Iterator[str]:
    """Rows: mean end-point error of each flow source on a photograph that is moved by whole pixels."""
    photo = skimage.data.astronaut()
    for right, down in SHIFTS_PX:
        first, second = (photo[64 - y : 320 - y, 64 - x : 448 - x] for x, y in ((0, 0), (right, down)))
        flows = [source().motion(np.stack([first, second])).forward[0] for source in FLOWS.values()]
        errors = [np.linalg.norm(flow - (right, down), axis=-1).mean() for flow in flows]
        yield f"| {right}, {down} | {' | '.join(f'{error:.2f}' for error in errors)} |"


def padded_ssim(frames: Frames, case: Case) -> list[float]:
    """What torchmetrics computes: the Gaussian SSIM's map averaged over the whole reflection-padded frame."""
    found = []
    for frame, truth in zip(frames, case.frames, strict=True):
        x, y = (cv2.copyMakeBorder(p, 5, 5, 5, 5, cv2.BORDER_REFLECT_101).astype(np.float64) for p in (frame, truth))

        def smooth(image: Any) -> Any:
            weights = cv2.getGaussianKernel(11, 1.5, cv2.CV_64F)
            return np.asarray(cv2.sepFilter2D(image, cv2.CV_64F, weights, weights))[5:-5, 5:-5]

        mx, my = smooth(x), smooth(y)
        variances = smooth(x * x) - mx * mx + smooth(y * y) - my * my
        similar = (2 * mx * my + C1) * (2 * (smooth(x * y) - mx * my) + C2) / ((mx**2 + my**2 + C1) * (variances + C2))
        found.append(float(similar.mean()))
    return found


def float_average(case: Case) -> tuple[list[float], list[float]]:
    """PSNR and SSIM of two windows averaged in float, as the family's script measures it; our metrics take uint8 only."""
    prediction = array("inputs.npz", "prediction")
    two = [np.clip(prediction + shift, 0, 255).astype(np.uint8) for shift in (0.0, 3.7)]
    composites = [np.where(case.holes[..., None], one, case.frames).astype(np.float64) for one in two]
    mean = (composites[0] + composites[1]) / 2
    error = np.square(mean - case.frames).mean(axis=(1, 2, 3))
    from vibench.metrics.ssim import channel_map

    def smooth(image: Any) -> Any:
        return cv2.boxFilter(image, cv2.CV_64F, (WINDOW_PX, WINDOW_PX))

    ssim = [
        float(np.mean([channel_map(*pair, smooth, SAMPLE_COVARIANCE)[32:-32, 32:-32] for pair in channels]))
        for channels in (
            list(zip(np.moveaxis(one, -1, 0), np.moveaxis(truth, -1, 0), strict=True))
            for one, truth in zip(mean, case.frames, strict=True)
        )
    ]
    return list(10 * np.log10(255**2 / error)), ssim


def bytes_equal(case: Case) -> Iterator[tuple[str, bool]]:
    """What must be equal to the byte: both resizes and the dilation."""
    resizes = STTN["resize_to_108x60"]
    for filter, name in (("pillow-bicubic", "pillow_default_bicubic"), ("opencv-bilinear", "opencv_bilinear")):
        found = hashlib.sha256(resize_frames(case.frames[:1], 108, 60, filter).tobytes()).hexdigest()
        yield f"resize `{filter}`", found == resizes[f"{name}_sha256"]
    yield "nearest mask pixels", int(resize_masks(case.holes[:1], 108, 60).sum()) == resizes["mask_nearest_pixels"]
    hole = case.holes[:1].copy()
    hole[0, 0, 0] = True
    grown = hashlib.sha256(dilate(hole, 4).astype(np.uint8).tobytes()).hexdigest()
    yield "dilation, 4 times a 3x3 cross", grown == STTN["dilation"]["sha256_of_uint8_0_1_bytes"]


def table(lines: list[Line]) -> str:
    """Markdown."""
    head = "| number | ours | original | largest difference |\n|---|---:|---:|---:|\n"
    return head + "\n".join(
        f"| {row.what} | {row.ours:.10g} | {row.original:.10g} | {row.largest:.1e} |" for row in lines
    )


def page() -> str:
    """The whole of docs/calibration.md."""
    case = golden_case()
    about = (
        "Made by `python docs/calibration.py`; do not edit. Each line compares a number of ours with what the original's own code\n"
        "gave on the clip of `tests/golden/metrics` (its README says which code and versions). Means of the series are shown, and\n"
        "the largest difference of any single frame, pair or feature."
    )
    parts = [
        "# Calibration",
        about,
        "## Frames",
        table(list(frame_metrics(case))),
        "## Time",
        table(list(temporal_metrics(case))),
        "## Distances",
        _distances(case),
        "## Floors of the warping error",
        _floors(),
        "## Equal to the byte",
        "\n".join(f"- {what}: {'yes' if equal else '**no**'}" for what, equal in bytes_equal(case)),
        "## What differs, and why",
        _reasons(case),
    ]
    return "\n\n".join(parts) + "\n"


def _floors() -> str:
    try:
        rows, moved = "\n".join(floors()), "\n".join(shifted())
    except MissingResource as error:
        return f"Not computed on the machine that made this page: {error}."
    return (
        "Warping error of the true clips, region frame, and the share of pixels that count as visible. A method's number is to be\n"
        "read beside this row, which every table has.\n\n"
        f"| truth | `dis` | `gmflow` | `exact` |\n|---|---:|---:|---:|\n{rows}\n\n"
        "With exact flow the floor is what bilinear warping costs. With an estimated flow it is higher, by the flow's own errors:\n"
        "mean end-point error, in px, on a photograph moved by whole pixels:\n\n"
        f"| moved by, px | `dis` | `gmflow` |\n|---|---:|---:|\n{moved}\n\n"
        "The GMFlow weights that a package index holds were trained to interpolate drawings, and it shows: DIS is the better source here."
    )


def _distances(case: Case) -> str:
    found: list[Line] = []
    note = ""
    try:
        found.extend(distances(case))
    except MissingResource as error:
        note = f"\n\nNot compared on the machine that made this page: {error}."
    return table(found) + note


def _reasons(case: Case) -> str:
    padded = line("as torchmetrics pads", padded_ssim(golden_composite(), case), _torchmetrics())
    valid = np.mean(
        [value for value in values("ssim-gaussian", "frame", golden_composite(), case) if value is not None]
    )
    psnr, ssim = float_average(case)
    expected = STTN["two_windows_averaged_in_float"]
    windows = [line("PSNR", psnr, expected["psnr"]), line("SSIM, 65 px window", ssim, expected["ssim_window65"])]
    return (
        f"**SSIM of torchmetrics.** The formula and window are those of `ssim-gaussian`; torchmetrics reflects the frame at its\n"
        f"border and averages over all of it, we (with piq and scikit-image) over the pixels that have a whole window. The\n"
        f"padded mean, computed here, is {padded.ours:.10g} and torchmetrics 1.9.0 gave {padded.original:.10g} (largest\n"
        f"difference {padded.largest:.1e}); ours is {valid:.10g}. The border is outside the hole and perfect, which lifts the mean.\n\n"
        "**Two windows averaged in float.** Methods of the STTN family fill a frame from several windows; their script cuts each to\n"
        "uint8, averages in float and measures the float mean. vibench scores uint8, so such a method averages itself and its\n"
        "mean is quantised once. The family's own arithmetic, done here outside the harness, gives:\n\n"
        + table(windows)
    )


def _torchmetrics() -> list[float]:
    return list(LIBRARIES["torchmetrics_ssim_gaussian11_sigma1.5_range255"])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(json.dumps({"written": str(PAGE)}))
