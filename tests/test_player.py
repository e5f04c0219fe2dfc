"""The case page in a real browser: the script runs from disk, shows the frame that the link names, and follows its views."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vibench.order import Order
from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.report import build_report
from vibench.run import run
from vibench.store import Store

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the path"),
]


class Quiet:
    def started(self, total: int, remaining: int) -> None: ...
    def finished(self, record: object) -> None: ...
    def say(self, sentence: str) -> None: ...


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    protocol = Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "t", "description": "d", "seed": 3,
            "data": {"dataset": "bundled", "frames": 6, "clips": ["carphone"]},
            "holes": [{"name": "square", "generator": "stationary-square"}],
            "scoring": {"metrics": ["psnr"]},
        }
    )  # fmt: skip
    methods = (Spec.parse("telea"), Spec.parse("last_seen"))
    output = tmp_path_factory.mktemp("out")
    return run(Order(protocol=protocol, methods=methods, metrics=("psnr",), output=output), Quiet())


@pytest.fixture(scope="module")
def page(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = build_report([store.folder], tmp_path_factory.mktemp("report"))
    (case,) = (index.parent / "cases").glob("*.html")
    return case


def browse(page: Path, link: str, *options: str) -> str:
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--timeout=8000", "--hide-scrollbars"]
    address = f"{page.as_uri()}#{link}"
    return subprocess.run([*command, *options, address], capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_link_brings_back_frame_row_and_view(page: Path) -> None:
    text = browse(page, "frame=3&row=70&view=side", "--dump-dom")
    assert re.search(r'data-part="now">4 / 6<', text)
    assert re.search(r'data-part="row-now">row 70<', text)
    assert len(re.findall(r"<canvas [^>]*data-source", text)) == 4 + 3  # players, and slices without the holed input
    assert text.count("<path d=") == 2  # one curve a method


def test_comparing_views_say_what_they_compare(page: Path) -> None:
    text = browse(page, "frame=0&view=difference&a=1&b=3&gain=8", "--dump-dom")
    assert "|telea − truth| times 8: white is a difference of 32 grey levels or more" in text
    assert "telea (left) and truth (right)" in browse(page, "view=wipe&a=1&b=3", "--dump-dom")


def test_what_is_seen_is_the_frame_that_was_measured(page: Path, store: Store, tmp_path: Path) -> None:
    """The picture on the screen against the kept frame: of all six frames, the right one is nearest by far."""
    shot = tmp_path / "shot.png"
    browse(page, "frame=4&view=wipe&a=3&b=3", f"--screenshot={shot}", "--window-size=960,1400")
    kept = store.case_frames("carphone/square")
    assert kept is not None
    truth = kept[2]
    assert truth is not None
    screen = np.asarray(Image.open(shot).convert("RGB")).astype(np.float32)
    height, width = truth.shape[1:3]
    shown = 902  # the window less the page's margins of 3 % a side
    scores = []
    for frame in truth:
        picture = cv2.resize(frame, (shown, round(height * shown / width))).astype(np.float32)
        scores.append(float(cv2.matchTemplate(screen, picture, cv2.TM_SQDIFF_NORMED).min()))
    assert int(np.argmin(scores)) == 4, scores
    assert scores[4] < 0.01, scores
