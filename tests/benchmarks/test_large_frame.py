"""What one frame of 1920x1080 costs with a hole of 64x64: the whole frame given to the method, or what is around."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from video_files import drifting, write_film

from vibench.media.frames import read_frames
from vibench.runner.inpaint import inpaint

FRAMES = 8


@pytest.mark.parametrize("method", ["telea", "flow_propagation", "vinet[warm_up=0]"])
def test_a_large_frame_costs_what_its_hole_costs(benchmark: Any, tmp_path: Path, method: str) -> None:
    from time import process_time

    mask = np.zeros((1080, 1920), np.uint8)
    mask[500:564, 900:964] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    film = write_film(tmp_path / "in.mkv", drifting(FRAMES, 1080, 1920), codec="ffv1", pixels="bgr0")

    def seconds(whole_frame: bool, method: str = method) -> float:
        began = process_time()
        output = tmp_path / f"{whole_frame}.mkv"
        inpaint(film, tmp_path / "mask.png", method, output, whole_frame=whole_frame, in_process=True)
        return (process_time() - began) / FRAMES

    seconds(False)
    copied = seconds(False, "identity")
    whole = seconds(True)
    around = benchmark.pedantic(seconds, args=(False,), rounds=1)
    outside = mask == 0
    frames = read_frames(film)[0]
    for name in ("True", "False"):
        np.testing.assert_array_equal(read_frames(tmp_path / f"{name}.mkv")[0][:, outside], frames[:, outside])
    benchmark.extra_info |= {"whole_seconds": whole, "around_seconds": around, "read_and_write_seconds": copied}
    print(f"{method}: {whole:.3f} s a frame whole, {around:.3f} s around the hole, {copied:.3f} s to read and write")
    assert around - copied < (whole - copied) / 2
