"""A program that fills holes with grey, and does what programs have been seen to do instead: ``--how`` says what.

``fake_program.py --frames PLACE --masks PLACE --output PLACE --how NAME``. Places are folders of pictures, videos or,
for masks, one picture, as a method file asks for them. It knows nothing of vibench.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
from PIL import Image

VIDEOS = (".mp4", ".mkv")


def read(place: Path) -> list[np.ndarray]:
    if place.suffix in VIDEOS:
        with av.open(str(place)) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return [np.asarray(Image.open(file).convert("RGB")) for file in files]


def write(frames: list[np.ndarray], place: Path, first: int, quality: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.suffix not in VIDEOS:
        for index, frame in enumerate(frames):
            Image.fromarray(frame).save(str(place) % (index + first))
        return
    with av.open(str(place), "w") as container:
        options = {"qp": "0"} if quality == "exact" else {"crf": "35"}
        stream = container.add_stream("libx264", rate=24, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv444p" if quality == "exact" else "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())


def leave_a_process() -> None:
    """Start one in a session of its own, so that it ends with nobody."""
    words = [sys.executable, "-c", "import time; time.sleep(600)", "fake-program-left-over"]
    subprocess.Popen(words, start_new_session=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("frames", "masks", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--how", default="grey")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--level", type=int, default=128)
    parser.add_argument("--black-is-hole", action="store_true")
    given = parser.parse_args()
    how, quality = given.how, "lossy" if given.how == "lossy" else "exact"
    frames, masks = read(given.frames), read(given.masks)
    masks = masks * (len(frames) if len(masks) == 1 else 1)
    holes = [(mask[..., 0] < 128) if given.black_is_hole else (mask[..., 0] >= 128) for mask in masks]
    filled = [
        np.where(hole[..., None], np.uint8(given.level), frame) for frame, hole in zip(frames, holes, strict=True)
    ]
    print(f"{len(frames)} frames of {frames[0].shape[1]}x{frames[0].shape[0]}", flush=True)
    if how == "short":
        filled = filled[:-2]
    elif how == "long":
        filled = [*filled, filled[-1]]
    elif how == "small":
        filled = [np.ascontiguousarray(frame[::2, ::2]) for frame in filled]
    elif how == "nothing":
        return
    elif how == "elsewhere":
        given.output = given.output.parent / "other" / given.output.name
    elif how == "crash":
        sys.exit("RuntimeError: the layer is empty")
    elif how == "memory":
        sys.exit("torch.cuda.OutOfMemoryError: CUDA out of memory")
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "hang":
        leave_a_process()
        time.sleep(600)
    elif how == "leaves-a-process":
        leave_a_process()
    elif how == "seconds":
        print("loading\nit took 0.25 s", flush=True)
        print("it took 0.5 s", flush=True)
    elif how == "chatty":
        for _ in range(4000):
            print("x" * 1000)
    write(filled, given.output, given.first, quality)
    if how == "link":
        last = max(given.output.parent.iterdir())
        last.unlink()
        last.symlink_to(sys.executable)
    elif how == "pipe":
        last = max(given.output.parent.iterdir())
        last.unlink()
        os.mkfifo(last)
    elif how == "torn":
        last = max(given.output.parent.iterdir())
        last.write_bytes(last.read_bytes()[:60])


if __name__ == "__main__":
    main()
