"""The command `vinet`: convert weights, look inside the network, train."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from vinet.errors import VINetError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="VINet: deep video inpainting.")


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="A released checkpoint such as save_agg_rec.pth, or our own.")],
    output: Annotated[
        Path, typer.Argument(help="File to write: .safetensors, or .pth in the layout of the released checkpoints.")
    ],
    double: Annotated[bool, typer.Option(help="The checkpoint is for 512 px: the encoder halves the image.")] = False,
) -> None:
    """Check weights of the published network, name by name, and write them as our file or as a released one.

    A .safetensors file says what it is for; a .pth is what the authors' code loads. Either becomes the other, bit for
    bit.
    """
    from vinet import weights
    from vinet.config import VINetConfig

    if output.suffix not in (".safetensors", ".pth"):
        raise VINetError(f"the output must end in .safetensors or .pth, not {output.name!r}")
    network, file = weights.load(checkpoint, VINetConfig.published(double=double))
    if output.suffix == ".pth":
        weights.save_released(network, output)
    else:
        weights.save(network, output, {"converted_from_sha256": file.sha256})
    typer.echo(f"{output}: {len(file.tensors)} tensors, all keys and shapes as expected")


@app.command()
def prepare(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")],
    output: Annotated[Path, typer.Argument(help="File to write; give it to `vinet train --photos`.")],
) -> None:
    """Put a folder of photos into one file that training reads without decoding: for a GPU, which else waits for it."""
    from vinet.training.scenes.photos import prepare as write

    typer.echo(f"{output}: {write(photos, output)} photos")


@app.command()
def explain(
    video: Annotated[Path, typer.Argument(help="A video file, or a folder of images.")],
    mask: Annotated[Path, typer.Option("--mask", help="Where the hole is (white): image, folder, video or .npy.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: .png, .svg or .pdf.")],
    frame: Annotated[
        int | None, typer.Option(min=0, help="Frame to explain, counted from 0; left out: 8, or a short clip's last.")
    ] = None,
    weights: Annotated[str, typer.Option(help="Weights file; the bundled compact ones when left out.")] = "",
) -> None:
    """Draw what one filled frame was made of: masks, flow to every source frame, and features, at each scale."""
    from vibench.media.frames import read_frames
    from vibench.media.masks import read_masks
    from vinet.explain import explain as draw
    from vinet.method import VINetMethod

    inpainter = VINetMethod(weights=weights or None).inpainter
    wanted = 8 if frame is None else frame
    frames, _ = read_frames(video, limit=wanted + 1 + inpainter.config.lookahead)
    wanted = min(wanted, len(frames) - 1) if frame is None else wanted
    masks = read_masks(mask, len(frames), *frames.shape[1:3], may_be_longer=True)
    draw(inpainter, list(frames), list(masks), wanted, output)
    typer.echo(f"explained frame {wanted}: {output}")


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A .toml file, or the name of a recipe that comes with the package.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the run; runs/NAME when left out.")
    ] = None,
    photos: Annotated[
        str, typer.Option(help="Folder of photos, or a file that vinet prepare made, for the recipe's data.photos.")
    ] = "",
    clips: Annotated[
        str, typer.Option(help="Folder of videos, in place of the recipe's data.clips; none trains without videos.")
    ] = "",
    device: Annotated[str, typer.Option(help="cpu or cuda; start several processes with torchrun.")] = "cpu",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change the recipe: seed=3, stages.flow.steps=20, stages.*.batch=1."),
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Only say how many operations the recipe is.")] = False,
) -> None:
    """Train a network by a recipe; the same command goes on where an interrupted training stopped."""
    from vinet.training.recipe import read
    from vinet.training.trainer import train as run

    chosen = [f"data.photos={photos!r}"] if photos else []
    if clips:
        chosen += ["data.clip_share=0.0"] if clips == "none" else [f"data.clips={clips!r}"]
    read_recipe = read(recipe, [*chosen, *(settings or [])])
    if count:
        from vinet.training.work import work_of, work_text

        typer.echo(work_text(work_of(read_recipe)))
        return
    weights = run(read_recipe, output or Path("runs") / read_recipe.name, device)
    typer.echo(f"weights: {weights}")


@app.command("train-merge")
def train_merge(
    photos: Annotated[str, typer.Option(help="Folder of photos.")],
    clips: Annotated[str, typer.Option(help="Folder of videos; none trains on photos alone.")] = "",
    held_out: Annotated[
        str, typer.Option(help="Names of videos that are not trained on, by comma, without their endings.")
    ] = "",
    weights: Annotated[
        str, typer.Option(help="Weights file of the network whose passes are merged; the bundled one when left out.")
    ] = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")] = Path("runs/merge-cpu"),
    scenes: Annotated[int, typer.Option(min=1, help="Clips that the network fills first, in both directions.")] = 110,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the training after that.")] = 1000,
) -> None:
    """Train the merge of `vinet[directions=both]` for any network; the same command keeps the scenes that are filled.

    Filling takes some seconds a scene on one core, the training after that a minute or two.
    """
    from vinet.choice import Choice
    from vinet.training.merge import MergeRecipe
    from vinet.training.merge import train_merge as run

    recipe = MergeRecipe(scenes=scenes, steps=steps)
    names = tuple(name for name in held_out.split(",") if name)
    written = run(recipe, Choice(weights or None), photos, "" if clips == "none" else clips, names, output)
    typer.echo(f'weights: {written}; use them by "vinet[directions=both,merge={written}]"')


@app.command("flow-error")
def flow_error(
    weights: Annotated[Path, typer.Argument(help="Weights of a network with flow heads.")],
    photos: Annotated[str, typer.Option(help="Folder of photos; only the held-out twentieth is looked at.")],
    scenes: Annotated[int, typer.Option(min=1, help="How many synthetic scenes.")] = 64,
    size: Annotated[int, typer.Option(min=32, help="Side of the frames in pixels.")] = 96,
    motion: Annotated[float, typer.Option(min=0, help="Fastest motion in pixels a frame.")] = 2.0,
) -> None:
    """Measure how far the network's optical flow and that of DIS are from the truth, in pixels, in and around holes."""
    from vinet.training.flow_error import measure

    typer.echo(measure(weights, photos, scenes, size, motion).table())


@app.command()
def snapshot(
    run: Annotated[Path, typer.Argument(help="Folder of a training.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .safetensors file to write.")],
) -> None:
    """Write the weights that a running or stopped training has reached."""
    from vinet.training.export import snapshot as write

    typer.echo(f"{output}: after {write(run, output)} steps")


@app.command()
def curve(
    run: Annotated[Path, typer.Argument(help="Folder of a training.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: .png, .svg or .pdf.")],
    column: Annotated[str, typer.Option(help="Column of losses.csv.")] = "loss",
) -> None:
    """Draw how the losses of a training fell, on training and on validation data."""
    from vinet.training.curve import plot

    plot(run, output, column)


def main() -> None:
    """Run the command; what a user can fix is one sentence and exit status 2."""
    from vibench.errors import UserError

    try:
        app()
    except (VINetError, UserError) as error:
        typer.echo(f"vinet: {error}", err=True)
        sys.exit(2)
