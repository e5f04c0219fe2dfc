"""The formats that vibench reads: for each, a sound file and the reader that a command would use."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SHAPE = (4, 24, 32, 3)
FRAMES = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
SMOOTH = np.broadcast_to(np.linspace(0, 255, 32, dtype=np.uint8)[:, None], SHAPE).copy()
HOLES = np.zeros(SHAPE[:3], bool)
HOLES[:, 4:12, 5:15] = True


@dataclass(frozen=True)
class Format:
    """``make`` writes a sound file into an empty folder; ``read`` reads it and says what it holds.

    What ``read`` gives must be what the sound file holds wherever ``exact`` is set: damage is then refused or without
    effect. ``sentences`` that a reader collects instead of raising are what ``read`` gives as a list of texts.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    text: bool = False
    exact: bool = False


FORMATS: dict[str, Format] = {}


def named(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# ---- texts

PROTOCOL = """
name = "tiny"
version = 1
title = "Tiny"
description = "For tests."
seed = 3
[data]
dataset = "synthetic"
frames = 3
[resize]
width_px = 64
height_px = 48
filter = "area"
[[holes]]
name = "square"
generator = "moving-square"
options = {size = 0.3, speed = 0.01}
dilation_iterations = 1
[scoring]
metrics = ["psnr"]
"""


def read_protocol(path: Path) -> None:
    from vibench.data.cases import check_generators, planned_cases
    from vibench.protocol import load_protocol

    protocol = load_protocol(str(path))
    check_generators(protocol)
    planned_cases(protocol, ["ant", "bee"])
    assert protocol.digest and protocol.label


def read_card(path: Path) -> None:
    from vibench.data.dataset import read_card

    read_card(path)


def read_table(path: Path) -> None:
    from vibench.report.paper_table import load_paper_table

    load_paper_table(str(path))


def read_manifest(path: Path) -> None:
    from vibench.data.manifest import read_manifest

    read_manifest(path).entry("a")


def bundled_file(*parts: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from vibench.files import bundled

        source = bundled(parts[0]).joinpath(*parts[1:])
        return named(folder / f"file{source.suffix}", source.read_bytes())

    return make


FORMATS["protocol.toml"] = Format(lambda folder: named(folder / "p.toml", PROTOCOL.encode()), read_protocol, text=True)
FORMATS["card.toml"] = Format(bundled_file("datasets", "cards", "bundled.toml"), read_card, text=True)
FORMATS["table.toml"] = Format(bundled_file("reports", "tables", "ablation.toml"), read_table, text=True)
FORMATS["manifest.json"] = Format(bundled_file("datasets", "manifests", "bundled@1.json"), read_manifest, text=True)


def study_key(folder: Path) -> Path:
    ids = [f"{number:016x}" for number in range(9)]
    key = {
        "version": 1, "study": ids[0], "seed": 1, "question": "Which?", "protocol_label": "tiny@1", "runs": ["d"],
        "protocol_digest": "p", "methods": ["telea", "vinet"], "cases": ["a/1"],
        "clips": {ids[1]: {"method": "telea", "case": "a/1"}, ids[2]: {"method": "vinet", "case": "a/1"}},
        "trials": [{"id": ids[3], "left": ids[1], "right": ids[2], "is_check": False}],
    }  # fmt: skip
    answers = {
        "version": 1, "study": ids[0], "rater": ids[5], "mirrored": False,
        "answers": [{"trial": ids[3], "left": ids[1], "right": ids[2], "choice": "left", "seconds": 1.5}],
    }  # fmt: skip
    named(folder / "answers.json", json.dumps(answers).encode())
    return named(folder / "key.json", json.dumps(key).encode())


def read_study(path: Path) -> None:
    from vibench.study.score import score_study

    score_study(path.parent / "key.json", [path.parent / "answers.json"])


def study_answers(folder: Path) -> Path:
    study_key(folder)
    return folder / "answers.json"


FORMATS["study key.json"] = Format(study_key, read_study, text=True)
FORMATS["study answers.json"] = Format(study_answers, read_study, text=True)


def baseline(folder: Path) -> Path:
    samples = {"clock": "wall", "seconds_per_frame": [0.1, 0.2], "first_frame_seconds": [0.1], "peak_bytes": [5],
               "quality_db": [30.5]}  # fmt: skip
    content = {"machine": "m", "probe": "p", "code": "c", "methods": {"telea": samples}}
    return named(folder / "baseline.json", json.dumps(content).encode())


def read_baseline(path: Path) -> None:
    from vibench.regress.baseline import Baseline

    Baseline.read(path).mismatch("m", "p", "telea")


FORMATS["baseline.json"] = Format(baseline, read_baseline, text=True)


def read_spec(path: Path) -> None:
    from vibench.plugins import Spec, split_outside_brackets

    for part in split_outside_brackets(path.read_bytes().decode(errors="surrogateescape")):
        spec = Spec.parse(part)
        assert Spec.parse(spec.label).label == spec.label


FORMATS["methods on the command line"] = Format(
    lambda folder: named(folder / "spec", b'vinet[memory=false,weights="a,b]c"],telea[radius_px=5]'),
    read_spec,
    text=True,
)


# ---- a run's folder


def small_store(folder: Path) -> Any:
    from small_run import write_run

    return write_run(folder / "runs", ["telea", "vinet"], ["ant/square"], frames=SHAPE[0], height=24, width=32)


def in_store(pattern: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (path,) = small_store(folder).folder.glob(pattern)
        return path  # type: ignore[no-any-return]

    return make


def run_of(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.parent.name == "runs")


def read_run(path: Path) -> list[str]:
    from vibench.results.run import open_run

    run = open_run(run_of(path))
    assert run.results is not None
    run.table()
    return list(run.problems)


def read_kept(path: Path) -> Any:
    from vibench.results.store import Store

    found = Store.open(run_of(path)).case_frames("ant/square")
    return None if found is None else found[1]


def read_output(path: Path) -> Any:
    from vibench.results.store import Store

    return Store.open(run_of(path)).frames("vinet", "ant/square")


FORMATS["run.json"] = Format(in_store("run.json"), read_run, text=True)
FORMATS["record.json"] = Format(in_store("records/telea/*.json"), read_run, text=True)
FORMATS["kept holes.npz"] = Format(in_store("cases/*.holes.npz"), read_kept, exact=True)
FORMATS["kept input.mkv"] = Format(in_store("cases/*.mkv"), read_output, exact=True)
FORMATS["kept output.mkv"] = Format(in_store("frames/vinet/*.mkv"), read_output, exact=True)


def cached(folder: Path) -> Path:
    import os

    from vibench.metrics.cache import kept

    os.environ["VIBENCH_CACHE"] = str(folder)
    kept("flow", "key", (8, 9, 2), lambda: np.ones((8, 9, 2)))
    return next(folder.glob("flow/*.npy"))


def read_cached(path: Path) -> Any:
    from vibench.metrics.cache import kept

    return kept("flow", "key", (8, 9, 2), lambda: np.ones((8, 9, 2)))


FORMATS["cached array.npy"] = Format(cached, read_cached, exact=True)

# ---- weights


def weights_file(suffix: str, legacy: bool = False) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import torch

        from vinet import weights
        from vinet.config import VINetConfig

        network = weights.random_network(VINetConfig.compact(0.0625))
        path = folder / f"weights{suffix}"
        if suffix == ".safetensors":
            weights.save(network, path, {"steps": "3"})
        else:
            small = dict(list(network.state_dict().items())[:6])
            torch.save({"epoch": 3, "state_dict": small}, path, _use_new_zipfile_serialization=not legacy)
        return path

    return make


def read_weights(path: Path) -> None:
    from vinet import weights

    file = weights.read(path)
    if file.config is not None:
        weights.build(file.config, file.tensors, str(path))


def read_pickled(path: Path) -> None:
    from vibench.metrics.networks.weights import read_pickled_arrays

    read_pickled_arrays(path.read_bytes())


FORMATS["weights.safetensors"] = Format(weights_file(".safetensors"), read_weights)
FORMATS["weights.pth"] = Format(weights_file(".pth"), read_weights)
FORMATS["weights of old torch.pth"] = Format(weights_file(".pth", legacy=True), read_weights)
FORMATS["pickled arrays"] = Format(
    lambda folder: named(folder / "a.pkl", pickle.dumps({"a": {"b": np.ones((3, 4), np.float32)}, "c": np.arange(5)})),
    read_pickled,
)

# ---- data


def flow_file(folder: Path) -> Path:
    return named(folder / "a.flo", b"PIEH" + np.array([5, 4], "<i4").tobytes() + np.ones((4, 5, 2), "<f4").tobytes())


def read_flow(path: Path) -> None:
    from vibench.data.layouts import read_flow

    read_flow(path)


FORMATS["flow.flo"] = Format(flow_file, read_flow)


def png_bytes(frame: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "png")
    return buffer.getvalue()


def archive(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"out{suffix}"
        if suffix == ".zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
                for t, frame in enumerate(SMOOTH):
                    zipped.writestr(f"ant/square/{t}.png", png_bytes(frame))
            return path
        with tarfile.open(path, "w:gz" if suffix == ".tgz" else "w") as tarred:
            for t, frame in enumerate(SMOOTH):
                content = png_bytes(frame)
                member = tarfile.TarInfo(f"ant/square/{t}.png")
                member.size = len(content)
                tarred.addfile(member, io.BytesIO(content))
        return path

    return make


def read_archive(path: Path) -> None:
    from baselines.from_disk import FromDisk
    from vibench.clip import Holed

    FromDisk(path=str(path))(Holed("ant/square", FRAMES, HOLES))


def read_download(path: Path) -> None:
    import tempfile

    from vibench.data.copy import _unpacked

    with tempfile.TemporaryDirectory() as folder:
        _unpacked(path, Path(folder))


for one in (".zip", ".tar", ".tgz"):
    FORMATS[f"frames{one}"] = Format(archive(one), read_archive)
FORMATS["data set.zip"] = Format(archive(".zip"), read_download)

# ---- pictures, masks and videos


def picture(suffix: str, mode: str = "RGB", **how: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"picture{suffix}"
        Image.fromarray(FRAMES[0]).convert(mode).save(path, **how)
        return path

    return make


def read_picture(path: Path) -> None:
    from vibench.media.images import read_image

    read_image(path)


def read_mask(path: Path) -> None:
    from vibench.media.masks import read_masks

    read_masks(path, *SHAPE[:3])


def mask_array(folder: Path) -> Path:
    np.save(folder / "mask.npy", HOLES)
    return folder / "mask.npy"


def mask_picture(folder: Path) -> Path:
    Image.fromarray(np.where(HOLES[0], 255, 0).astype(np.uint8)).save(folder / "mask.png")
    return folder / "mask.png"


FORMATS["mask.npy"] = Format(mask_array, read_mask)
FORMATS["mask.png"] = Format(mask_picture, read_mask)
FORMATS["frame.png"] = Format(picture(".png"), read_picture)
FORMATS["palette.png"] = Format(picture(".png", "P"), read_picture)
FORMATS["frame.jpg"] = Format(picture(".jpg"), read_picture)
FORMATS["frame.tif"] = Format(picture(".tif"), read_picture)
FORMATS["packed frame.tif"] = Format(picture(".tif", compression="tiff_lzw"), read_picture)
FORMATS["frame.bmp"] = Format(picture(".bmp"), read_picture)
FORMATS["frame.webp"] = Format(picture(".webp"), read_picture)
FORMATS["frame.ppm"] = Format(picture(".ppm"), read_picture)


def video(suffix: str, codec: str, pixels: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import av

        path = folder / f"video{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(25))
            stream.height, stream.width, stream.pix_fmt = 32, 48, pixels
            for frame in np.random.default_rng(0).integers(0, 256, (5, 32, 48, 3), np.uint8):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format=pixels)))
            container.mux(stream.encode())
        return path

    return make


def read_film(path: Path) -> None:
    from vibench.media.video import read_video

    read_video(path)


FORMATS["video.mp4"] = Format(video(".mp4", "libx264", "yuv420p"), read_film)
FORMATS["video.mkv"] = Format(video(".mkv", "ffv1", "bgr0"), read_film)
FORMATS["video.avi"] = Format(video(".avi", "mjpeg", "yuvj420p"), read_film)
FORMATS["video.webm"] = Format(video(".webm", "libvpx-vp9", "yuv420p"), read_film)
FORMATS["video.gif"] = Format(video(".gif", "gif", "rgb8"), read_film)
