"""What large frames cost, by the size of the hole: writes the table of docs/large.md.

``python docs/make/large.py`` fills noise at 1280x720 and 1920x1080 with a still square hole, by the bundled ``vinet``,
each size in a process of its own. It takes some minutes on one core. With finished runs of docs/make/large.toml,
``python docs/make/large.py RUN...``, it draws the film strips of that page instead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from pages import DOCS, keep, with_block
from PIL import Image

PAGE = DOCS / "large.md"
SIZES = ((1280, 720, 64), (1280, 720, 128), (1280, 720, 256), (1280, 720, 384), (1920, 1080, 128), (1920, 1080, 256))
"""Width and height of the frame and side of the hole, in pixels."""
FRAMES = 12
STRIP_PX = 1200
FILLED = """
import json, sys, time
import numpy as np
from vinet.method import VINetMethod

width, height, side, count = map(int, sys.argv[1:])
method = VINetMethod(warm_up=0)
mask = np.zeros((height, width), bool)
mask[(height - side) // 2 : (height + side) // 2, (width - side) // 2 : (width + side) // 2] = True
noise = np.random.default_rng(0)
frames = [noise.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]
with open("/proc/self/clear_refs", "w") as marks:
    marks.write("5")
stream = method.stream(iter(frames), (mask for _ in frames))
next(stream)  # which reads six frames ahead, and loads what was not loaded
began = time.process_time()
for _ in range(count // 2):
    next(stream)
seconds = (time.process_time() - began) / (count // 2)
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps([seconds, peak * 1024 / 1e9]))
"""


def measured(width: int, height: int, side: int) -> tuple[float, float]:
    """Processor seconds a frame, and the peak of the whole process in GB."""
    words = [sys.executable, "-c", FILLED, *map(str, (width, height, side, FRAMES))]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds, gigabytes = json.loads(done.stdout)
    return seconds, gigabytes


def draw(run: Path) -> None:
    """Film strips of the page from a run's kept frames, small enough for a repository."""
    for record in sorted(run.glob("records/*/*.json")):
        case = json.loads(record.read_text(encoding="utf-8"))["case"]
        both = "-both" if "directions=both" in record.parent.name else ""
        strip = DOCS / "images" / f"large-{case.partition('/')[0]}{both}.png"
        words = [sys.executable, "-m", "vibench", "figure", str(run), case, "-o", str(strip), "--frames", "3"]
        subprocess.run(words, check=True)
        with Image.open(strip) as picture:
            smaller = picture.convert("RGB")
            smaller.thumbnail((STRIP_PX, STRIP_PX))
            smaller.save(strip.with_suffix(".webp"), quality=80)
        strip.unlink()


def main() -> None:
    """Measure, write the table, and draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, nargs="*", help="only draw the strips, from these runs of large.toml")
    arguments = parser.parse_args()
    for run in arguments.run:
        draw(run)
    if arguments.run:
        return
    lines = ["| frame | hole, px | processor seconds a frame | peak memory, GB |", "|---|---|---:|---:|"]
    for width, height, side in SIZES:
        seconds, gigabytes = measured(width, height, side)
        lines.append(f"| {width}x{height} | {side}x{side} | {seconds:.2f} | {gigabytes:.2f} |")
        print(lines[-1], flush=True)
    keep(PAGE, with_block(PAGE.read_text(encoding="utf-8"), "large", "\n".join(lines)), check=False)


if __name__ == "__main__":
    main()
