"""The command ``vibench``: reads the command line, calls one function, prints; decides nothing about numbers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vibench.cli import data as data_cli
from vibench.cli.compare import compare
from vibench.cli.figure import figure, video
from vibench.cli.profile import profile
from vibench.cli.regress import regress
from vibench.cli.reproduce import reproduce
from vibench.cli.speed import speed
from vibench.cli.study import study
from vibench.errors import InputError, UserError

app = typer.Typer(
    name="vibench",
    help="Measure video inpainting honestly: run methods on standard holes, score them, compare and report.",
    epilog="Start with: vibench run --methods telea,flow_propagation --protocol bundled --output results",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(data_cli.app, name="data")

Methods = Annotated[
    str,
    typer.Option(
        "--methods",
        "-m",
        help="Methods by comma: names of [bold]vibench list methods[/bold] or module:factory, each with options in "
        "brackets, such as 'vinet\\[memory=false],telea'.",
    ),
]
Data = Annotated[Path | None, typer.Option(help="Folder of the protocol's data set, where it is not bundled.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto takes CUDA when there is one.")]


def main() -> None:
    """Run the command line; what a user can fix is one sentence on standard error and exit status 2."""
    try:
        app()
    except UserError as error:
        typer.secho(f"Error: {error}", err=True, fg="red")
        sys.exit(2)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    """Shared options."""
    if show:
        from vibench import __version__

        typer.echo(f"vibench {__version__}")
        raise typer.Exit


@app.command()
def run(
    methods: Methods,
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="Name, name@version or a .toml file.")] = "bundled",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder that holds runs.")] = Path("results"),
    data: Data = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N cases.")] = None,
    cases: Annotated[str, typer.Option(help="Only cases whose name holds one of these texts, by comma.")] = "",
    seeds: Annotated[str, typer.Option(help="Only these of the protocol's seeded repeats, by comma, from 0.")] = "",
    metrics: Annotated[str, typer.Option(help="Metrics by comma instead of the protocol's own.")] = "",
    device: Device = "auto",
    jobs: Annotated[int, typer.Option(min=1, help="Cases side by side; times are then those of a busy machine.")] = 1,
    predict_only: Annotated[bool, typer.Option("--predict-only", help="Fill and keep frames; score later.")] = False,
    keep_frames: Annotated[bool, typer.Option(help="Keep output frames, losslessly, for score and report.")] = True,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed cases once more.")] = False,
    time_limit: Annotated[float | None, typer.Option(min=0.001, help="Seconds a method may take a case.")] = None,
) -> None:
    """Fill the holes of every case with every method, time it, score it, and write one record each.

    The same command continues where it stopped: after Ctrl-C, a kill, a full disk. Another command never mixes in.
    """
    from vibench.cli.progress import progress
    from vibench.machine.device import resolve
    from vibench.plugins import Spec, split_outside_brackets
    from vibench.protocol import load_protocol
    from vibench.runner.order import Order, repeats_named
    from vibench.runner.run import run as run_order

    chosen = load_protocol(protocol)
    if predict_only and not keep_frames:
        raise InputError("--predict-only with --no-keep-frames would keep nothing; drop one of them")
    order = Order(
        protocol=chosen,
        methods=tuple(Spec.parse(text) for text in split_outside_brackets(methods)),
        metrics=tuple(split_outside_brackets(metrics)) or chosen.scoring.metrics,
        output=output,
        data=data,
        device=resolve(device),
        limit=limit,
        cases=tuple(split_outside_brackets(cases)),
        seeds=repeats_named(seeds, chosen),
        jobs=jobs,
        predict_only=predict_only,
        keep_frames=keep_frames,
        retry_failed=retry_failed,
        time_limit_seconds=time_limit,
    )
    if not order.methods:
        raise InputError("--methods names no method; see `vibench list methods`")
    with progress() as listener, _ends_after_interrupt():
        store = run_order(order, listener)
    _print_summary(store.folder)


@app.command()
def score(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, as `vibench list runs` prints them.")],
    metrics: Annotated[str, typer.Option(help="Metrics by comma; the protocol's own when left out.")] = "",
    data: Data = None,
    device: Device = "auto",
) -> None:
    """Measure kept frames again, without the methods: after --predict-only, or with further metrics."""
    from vibench.cli.progress import progress
    from vibench.machine.device import resolve
    from vibench.plugins import split_outside_brackets
    from vibench.runner.rescore import rescore

    for folder in runs:
        with progress() as listener, _ends_after_interrupt():
            rescore(folder, tuple(split_outside_brackets(metrics)), data, resolve(device), listener)
        _print_summary(folder)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold runs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the page and tables.")] = Path("report"),
    jobs: Annotated[
        int, typer.Option(min=1, help="Cases whose pictures are made side by side; each takes some 250 MB.")
    ] = min(4, os.cpu_count() or 1),
) -> None:
    """Write a self-contained page (index.html) and tables as Markdown, CSV, LaTeX and JSON."""
    from vibench.report import build_report
    from vibench.results.store import run_folders

    page = build_report(run_folders(runs), output, jobs)
    typer.echo(f"report: {page}")


app.command()(compare)
app.command()(reproduce)
app.command()(regress)
app.command()(profile)
app.command()(speed)


@app.command()
def inpaint(
    video: Annotated[Path, typer.Argument(help="A video file, or a folder of images.")],
    mask: Annotated[
        Path,
        typer.Option("--mask", help="Where the hole is (white): an image for all frames, a folder, a video or .npy."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Video to write: .mp4, .mov, .m4v or lossless .mkv.")],
    method: Annotated[
        str, typer.Option("--method", "-m", help="One method, as in --methods of run.")
    ] = "flow_propagation",
    dilate: Annotated[int, typer.Option(min=0, max=64, help="Grow the hole N times by one pixel.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT if it is there.")] = False,
    device: Device = "auto",
) -> None:
    """Remove what the mask marks from one video; sound is kept, and pixels outside the mask."""
    from vibench.cli.progress import frame_progress
    from vibench.machine.device import resolve
    from vibench.plugins import Spec
    from vibench.runner.inpaint import inpaint as fill

    if output.exists() and not overwrite:
        raise InputError(f"{output} is there already; add --overwrite to replace it")
    with _ends_after_interrupt(f"stopped; {output} was not written"), frame_progress() as progress:
        count = fill(
            video,
            mask,
            Spec.parse(method),
            output,
            device=resolve(device),
            dilation_iterations=dilate,
            progress=progress,
        )
    typer.echo(f"{count} frames: {output}")


@app.command()
def retarget(
    video: Annotated[Path, typer.Argument(help="A video file, or a folder of images.")],
    mask: Annotated[
        Path, typer.Option("--mask", help="The object that keeps its shape: image, folder, video or .npy.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Video to write: .mp4, .mov, .m4v or lossless .mkv.")],
    factor: Annotated[float, typer.Option(min=0.1, max=1.0, help="New width (or height) as a share of the old.")] = 0.5,
    axis: Annotated[str, typer.Option(help="What is squeezed: width or height.")] = "width",
    method: Annotated[str, typer.Option("--method", "-m", help="What fills the background.")] = "flow_propagation",
    dilate: Annotated[int, typer.Option(min=0, max=64, help="Grow the object N times by one pixel for filling.")] = 4,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT if it is there.")] = False,
    device: Device = "auto",
) -> None:
    """Squeeze a video without squeezing the object in it: fill behind it, squeeze, paste it back."""
    from vibench.cli.progress import frame_progress
    from vibench.machine.device import resolve
    from vibench.plugins import Spec
    from vibench.runner.retarget import retarget as squeeze

    if output.exists() and not overwrite:
        raise InputError(f"{output} is there already; add --overwrite to replace it")
    with _ends_after_interrupt(f"stopped; {output} was not written"), frame_progress() as progress:
        count = squeeze(
            video,
            mask,
            Spec.parse(method),
            output,
            factor=factor,
            axis=axis,  # type: ignore[arg-type]
            device=resolve(device),
            dilation_iterations=dilate,
            progress=progress,
        )
    typer.echo(f"{count} frames: {output}")


@app.command()
def export(
    protocol: Annotated[str, typer.Argument(help="Name, name@version or a .toml file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the frames and masks.")],
    data: Data = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N cases.")] = None,
) -> None:
    """Write every case's holed frames and masks as PNG, for a program that vibench cannot call.

    Give what that program makes back with the method from_disk.
    """
    from vibench.data.cases import export_cases
    from vibench.protocol import load_protocol

    for name, frames in export_cases(load_protocol(protocol), output, data, limit):
        typer.echo(f"{name}: {frames} frames")


@app.command()
def manifest(
    protocol: Annotated[str, typer.Argument(help="Name, name@version or a .toml file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; NAME@VERSION.json here.")
    ] = None,
    data: Data = None,
) -> None:
    """Write clip, frames, mask generator, seed and sha256 of the holes of every case, as JSON."""
    from vibench.data.manifest import write_manifest
    from vibench.protocol import load_protocol

    chosen = load_protocol(protocol)
    path = output or Path(f"{chosen.label}.json")
    typer.echo(f"{write_manifest(chosen, data, path)} cases: {path}")


@app.command("list")
def list_things(
    kind: Annotated[str, typer.Argument(help="methods, metrics, masks, protocols, datasets or runs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where runs are looked for.")] = Path("results"),
) -> None:
    """Print what there is of one kind: name, and a line about it."""
    from vibench.runner.listing import KINDS, listing

    if kind not in KINDS:
        raise InputError(f"nothing called {kind!r} can be listed; choose one of {', '.join(KINDS)}")
    for name, about in listing(kind, output):
        typer.echo(f"{name:<24}  {about}")


app.command()(figure)
app.command()(video)
app.add_typer(study)


def _print_summary(folder: Path) -> None:
    from vibench.report.numbers import print_summary
    from vibench.results.store import Store

    store = Store.open(folder)
    for problem in store.strangers():
        typer.secho(f"note: {problem}", err=True)
    print_summary(store)
    typer.echo(f"run: {folder}")


class _ends_after_interrupt:
    """Ctrl-C ends with a sentence and the shell's usual status 130."""

    def __init__(self, sentence: str = "stopped; everything finished is kept, and the same command continues") -> None:
        self.sentence = sentence

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            typer.echo(f"\n{self.sentence}", err=True)
            sys.exit(130)
