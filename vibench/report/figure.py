"""Figures for print: film strips, x-t slices and difference maps of one case, at 300 dots an inch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Frames
from vibench.errors import InputError
from vibench.files import disk_errors, replacing
from vibench.report.film import strip
from vibench.results.kept_case import INPUT, KeptCase, load_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["strip", "slice", "difference"]
FORMATS = (".png", ".pdf", ".svg")
DOTS_PER_INCH = 300
WIDTH_INCHES = 7.0
"""Two columns of a conference page."""

MARGIN_INCHES = 0.2
LABEL_POINTS = 8


def time_slice(frames: Frames, row: int) -> NDArray[np.uint8]:
    """Cut the x-t slice (T, W, 3) out of ``frames`` (T, H, W, 3) at ``row``: time runs downwards.

    InputError where the frames have no such row.
    """
    if not 0 <= row < frames.shape[1]:
        raise InputError(f"row {row} is not in a picture of {frames.shape[1]} rows; choose 0 to {frames.shape[1] - 1}")
    return frames[:, row]


def difference_map(frames: Frames, truth: Frames) -> NDArray[np.float64]:
    """Return |frames - truth| in grey levels from 0 to 255, (..., 3) -> (...): the mean of the three channels."""
    return np.asarray(np.abs(frames.astype(np.int16) - truth).mean(axis=-1))


def write_figure(
    run: Path | str,
    case: str,
    output: Path | str,
    kind: str = "strip",
    methods: str | Sequence[str] = (),
    frames: int = 4,
    row: int | None = None,
) -> None:
    """Draw one case of a run into a .png, .pdf or .svg file at print size; the same case gives the same bytes.

    ``run`` is a run's folder and ``case`` the name of one of its cases. ``kind`` is ``strip`` (a few frames side by
    side), ``slice`` (one row through time) or ``difference`` (how far each output is from the truth). ``methods``
    chooses some of the run's methods by their labels, as a list or as one text with commas between them; all are shown
    where it is empty. ``frames`` is how many frames a strip or a difference shows; ``row`` is that of the slice, the
    one that crosses most of the hole where it is None. InputError where the run, the case, a method or the kind is
    unknown, frames were not kept, the format is another, a difference has no truth, or ``output`` cannot be written.
    """
    kept = load_case(Path(run), case, methods)
    path = Path(output)
    with disk_errors(path.parent):
        draw_figure(path, kept, kind, frames, row)


def draw_figure(path: Path, case: KeptCase, kind: str, frames: int = 4, row: int | None = None) -> None:
    """Draw a case that is in memory; see ``write_figure``."""
    if kind not in get_args(Kind):
        raise InputError(f"nothing called {kind!r} can be drawn; choose one of {', '.join(get_args(Kind))}")
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path} does not say a picture format; end it in {', '.join(FORMATS)}")
    if kind == "strip":
        _draw_strips(path, case, case.spread_frames(frames))
    elif kind == "slice":
        _draw_slices(path, case, case.hole_row() if row is None else row)
    else:
        _draw_differences(path, case, case.spread_frames(frames))


def _draw_strips(path: Path, case: KeptCase, indices: Sequence[int]) -> None:
    width = case.frames.shape[2]
    pictures = {
        name: strip(shown[indices], case.holes[indices], cut=name == INPUT, width=width)
        for name, shown in case.pictures().items()
    }
    with _panels(path, pictures) as axes:
        axes[-1].set_xlabel(_numbered(indices), fontsize=LABEL_POINTS)


def _draw_slices(path: Path, case: KeptCase, row: int) -> None:
    pictures = {name: time_slice(shown, row) for name, shown in case.pictures().items()}
    with _panels(path, pictures) as axes:
        axes[-1].set_xlabel(f"row {row}; time runs down, {len(case.frames)} frames", fontsize=LABEL_POINTS)


def _draw_differences(path: Path, case: KeptCase, indices: Sequence[int]) -> None:
    if case.truth is None:
        raise InputError(f"{case.name!r} has no truth to take a difference to; draw a strip or a slice")
    truth = case.truth[indices]
    maps = {
        name: np.concatenate(list(difference_map(shown[indices], truth)), axis=1)
        for name, shown in case.outputs.items()
    }
    # One scale for all panels, or the eye would compare colours that mean different numbers.
    highest = max(1.0, *(float(shown.max()) for shown in maps.values()))
    with _panels(path, maps, highest) as axes:
        axes[-1].set_xlabel(_numbered(indices), fontsize=LABEL_POINTS)
        bar = axes[0].figure.colorbar(axes[0].images[0], ax=axes, fraction=0.04, pad=0.015)
        bar.set_label("|output − truth|, grey levels", fontsize=LABEL_POINTS)
        bar.ax.tick_params(labelsize=LABEL_POINTS - 1)


@contextmanager
def _panels(path: Path, pictures: Mapping[str, NDArray[Any]], highest: float | None = None) -> Iterator[list[Axes]]:
    """Give the axes of one labelled panel for each picture, from top to bottom; write ``path`` when the block ends."""
    import matplotlib
    from matplotlib.figure import Figure

    # A label is a method's name, never a formula; fixed identifiers and no date make equal files from equal data.
    with matplotlib.rc_context({"text.parse_math": False, "svg.hashsalt": "vibench", "pdf.fonttype": 42}):
        heights = [WIDTH_INCHES * picture.shape[0] / picture.shape[1] for picture in pictures.values()]
        figure = Figure(figsize=(WIDTH_INCHES, sum(heights) + MARGIN_INCHES * (len(heights) + 1)), layout="constrained")
        columns = figure.subplots(len(pictures), 1, squeeze=False, height_ratios=heights)
        axes = [line[0] for line in columns]
        for place, (name, picture) in zip(axes, pictures.items(), strict=True):
            place.imshow(picture, cmap="magma", vmin=0, vmax=highest, interpolation="none")
            place.set_title(name, fontsize=LABEL_POINTS, loc="left", pad=2)
            place.set_xticks([])
            place.set_yticks([])
        yield axes
        _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    metadata = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(path.suffix.lower())
    with replacing(path) as partial:
        figure.savefig(partial, dpi=DOTS_PER_INCH, metadata=metadata)


def _numbered(indices: Sequence[int]) -> str:
    return "frames " + ", ".join(str(index + 1) for index in indices)
