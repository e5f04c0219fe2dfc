"""Makes docs/calibration.md, which holds our numbers against what the originals' own code gave.

``python docs/make/calibration.py`` writes the page, with ``--check`` it compares. It takes seconds, and minutes where
the weights of I3D and GMFlow are at hand; where they are not, their sections are taken over from the committed page.
The inputs and expected numbers are those of ``tests/golden/metrics``; nothing here is typed by hand but the reasons.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import skimage.data
from pages import CHECKOUT, DOCS, keep, run, section

sys.path.insert(0, str(CHECKOUT / "tests" / "support"))  # the golden clip is a fixture, not part of the package

import removal
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

PAGE = DOCS / "calibration.md"
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


def distances() -> Iterator[Line]:
    """Frechet distances between two sets of features."""
    for name in ("activations", "activations_rank_deficient"):
        with np.load(CHECKOUT / "tests" / "golden" / "metrics" / f"{name}.npz") as sets:
            first, second = (np.asarray(sets[key], np.float64) for key in sets.files[:2])
        ours = frechet_distance(first, second)
        yield line(f"Frechet distance, {name.replace('_', ' ')}", ours, EXPECTED["frechet_distance"][f"{name}.npz"])


def features(case: Case) -> Iterator[Line]:
    """I3D features; MissingResource where the weights of I3D are not on this machine."""
    order = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5]
    for metric, setting in (("vfid", "eval_minus1_1"), ("vfid-sttn", "train_0_1")):
        for name, clip in (("truth", case.frames), ("composite", golden_composite())):
            ours = values(metric, "features", clip[order], case)
            yield line(f"`{metric}` features of the {name}", ours, array("i3d_features.npz", f"{name}_{setting}"))


FLOOR_CLIPS = ("fence", "rabbit", "walker")
SHIFTS_PX = ((3, -2), (0, 1), (4, -4), (8, -8), (-6, 5))


def floors() -> Iterator[str]:
    """Rows: warping error of the truth itself, which no method can be expected to go below."""
    clips = open_dataset("bundled", None, None)
    for name in FLOOR_CLIPS:
        frames = clips.load(name).frames
        yield f"| `{name}`, bundled | {_floor(frames, flow_sources.dis().motion(frames))} | - |"
    scenes = load_protocol("synthetic@1")
    data = open_dataset("synthetic", None, None)
    for planned in list(scenes.plan(data.clip_names()))[::7]:
        case = build_case(scenes, planned, data)
        assert case.truth is not None
        yield f"| `{planned.clip}`, synthetic | - | {_floor(case.truth, exact_motion(case.truth, case))} |"


def gmflow_floors() -> Iterator[str]:
    """Rows: the same of real clips with flow from GMFlow; MissingResource where its weights are not on this machine."""
    clips = open_dataset("bundled", None, None)
    for name in FLOOR_CLIPS:
        frames = clips.load(name).frames
        yield f"| `{name}`, bundled | {_floor(frames, flow_sources.gmflow().motion(frames))} |"


def _floor(frames: Frames, motion: Motion) -> str:
    found = [value for value in warped_differences(frames, motion)[0] if value is not None]
    return f"{np.mean(found):.6f} of {motion.visible.mean():.0%}"


def shifted(flow: FlowSource) -> Iterator[str]:
    """Rows: mean end-point error of a flow source, in px, on a photograph that is moved by whole pixels."""
    photo = skimage.data.astronaut()
    for right, down in SHIFTS_PX:
        first, second = (photo[64 - y : 320 - y, 64 - x : 448 - x] for x, y in ((0, 0), (right, down)))
        found = flow.motion(np.stack([first, second])).forward[0]
        yield f"| {right}, {down} | {np.linalg.norm(found - (right, down), axis=-1).mean():.2f} |"


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
    """PSNR and SSIM of two windows averaged in float, as the family's script does it; our metrics take uint8 only."""
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


def table(lines: Iterable[Line]) -> str:
    """The rows as a Markdown table."""
    head = "| number | ours | original | largest difference |\n|---|---:|---:|---:|\n"
    return head + "\n".join(
        f"| {row.what} | {row.ours:.10g} | {row.original:.10g} | {row.largest:.1e} |" for row in lines
    )


def removal_tables() -> str:
    """The metrics of object removal; MissingResource where transformers is not installed."""
    close: list[Line] = []
    loose, equal = [], []
    for row in removal.rows():
        name, numbers = f"{row.what}: `{row.path}`", removal.pairs(row)
        if row.allowed == 0:
            equal.append(f"- {name}: {'equal' if numbers[0] == numbers[1] else '**not equal**'}")
        elif row.allowed is None:
            close.append(line(name, *numbers))
        else:
            found = line(name, *numbers)
            loose.append(
                f"| {name} | {found.ours:.10g} | {found.original:.10g} | {found.largest:.1e} | {row.allowed:.0e} |"
            )
    head = "| number | ours | original | largest difference | allowed |\n|---|---:|---:|---:|---:|"
    of_rounding, of_whole_numbers = "\n".join([head, *loose]), "\n".join(equal)
    return f"""\
The numbers of `tests/golden/removal/expected.json`, by their place in that file; a row shows the means of all numbers
there and the largest difference of any. Where the file has what the original gives in float32 and what the same code
gives in float64, it is the latter. The networks are tiny ones of the same class; only the weights differ in use.

{table(close)}

Where the file has float32 alone, or what another library's image processor gives, the originals' own rounding allows
more:

{of_rounding}

Whole numbers, and what has no value:

{of_whole_numbers}"""


ABOUT = """\
Made by `python docs/make/calibration.py`; do not edit. Each line compares a number of ours with what the original's own
code gave on the clip of `tests/golden/metrics` (its README says which code and versions). The page shows the means of
both series and the largest difference of any single frame, pair or feature."""


def page(committed: str) -> str:
    """The whole of docs/calibration.md; sections that lack weights here are those of the committed page."""
    case = golden_case()
    sections: dict[str, Callable[[], str]] = {
        "Frames": lambda: table(frame_metrics(case)),
        "Time": lambda: table(temporal_metrics(case)),
        "Distances": lambda: table(distances()),
        "Features of I3D": lambda: table(features(case)),
        "Object removal": removal_tables,
        "Floors of the warping error": _floors,
        "Floors with GMFlow": _gmflow_floors,
        "Equal to the byte": lambda: "\n".join(
            f"- {what}: {'yes' if equal else '**no**'}" for what, equal in bytes_equal(case)
        ),
        "What differs, and why": lambda: _reasons(case),
    }
    parts = ["# Calibration", ABOUT]
    for heading, made in sections.items():
        try:
            text = made()
        except MissingResource as error:
            print(f"docs/calibration.md, {heading}: taken over as it is, since {error}")
            text = section(committed, heading)
        parts += [f"## {heading}", text]
    return "\n\n".join(parts) + "\n"


def _floors() -> str:
    rows, moved = "\n".join(floors()), "\n".join(shifted(flow_sources.dis()))
    return f"""\
Warping error of the true clips, region frame, and the share of pixels that count as visible. A method's number is to be
read beside this row, which every table has.

| truth | `dis` | `exact` |
|---|---:|---:|
{rows}

With exact flow the floor is what bilinear warping costs. With an estimated flow it is higher, by the flow's own errors:
the mean end-point error of DIS, in px, on a photograph moved by whole pixels is

| moved by, px | `dis` |
|---|---:|
{moved}"""


def _gmflow_floors() -> str:
    rows, moved = "\n".join(gmflow_floors()), "\n".join(shifted(flow_sources.gmflow()))
    return f"""\
The same two tables with GMFlow instead of DIS:

| truth | `gmflow` |
|---|---:|
{rows}

| moved by, px | `gmflow` |
|---|---:|
{moved}

The GMFlow weights that a package index holds were trained to interpolate drawings, and it shows: DIS is the better
source here."""


def _reasons(case: Case) -> str:
    padded = line("as torchmetrics pads", padded_ssim(golden_composite(), case), _torchmetrics())
    valid = np.mean(
        [value for value in values("ssim-gaussian", "frame", golden_composite(), case) if value is not None]
    )
    psnr, ssim = float_average(case)
    expected = STTN["two_windows_averaged_in_float"]
    windows = [line("PSNR", psnr, expected["psnr"]), line("SSIM, 65 px window", ssim, expected["ssim_window65"])]
    return f"""\
**SSIM of torchmetrics.** The formula and window are those of `ssim-gaussian`; torchmetrics reflects the frame at its
border and averages over all of it, we (with piq and scikit-image) over the pixels that have a whole window. The padded
mean, computed here, is {padded.ours:.10g} and torchmetrics 1.9.0 gave {padded.original:.10g}
(largest difference {padded.largest:.1e}); ours is {valid:.10g}.
The border is outside the hole and perfect, which lifts the mean.

**Two windows averaged in float.** Methods of the STTN family fill a frame from several windows; their script cuts each
to uint8, averages in float and measures the float mean. vibench scores uint8, so such a method averages itself and its
mean is quantised once. The family's own arithmetic, done here outside the harness, gives:

{table(windows)}"""


def _torchmetrics() -> list[float]:
    return list(LIBRARIES["torchmetrics_ssim_gaussian11_sigma1.5_range255"])


def make(check: bool) -> bool:
    """Write the page, or with ``check`` compare it; returns whether the committed page was right already."""
    committed = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return keep(PAGE, page(committed), check=check, computed=True)


if __name__ == "__main__":
    run(make)
