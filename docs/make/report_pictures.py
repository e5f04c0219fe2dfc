"""Makes the two pictures of a report in the README from finished runs: how an overview and a case begin.

``python docs/make/report_pictures.py RUN...`` needs chromium and chromedriver and takes about a minute.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from pathlib import Path

from pages import DOCS
from PIL import Image

from vibench import write_report

sys.path.insert(0, str(DOCS.parent / "tests" / "support"))
from browser import Browser

IMAGES = DOCS / "images"
WIDTH, HEIGHT = 1440, 900
SHOWN_PX = (1080, 675)
"""The pictures are smaller than the window: they stand beside each other in a table."""


def photograph(browser: Browser, path: Path) -> None:
    """Write what the window shows now as a JPEG file."""
    shot = browser.command("Page.captureScreenshot", format="png")
    picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    picture.resize(SHOWN_PX, Image.Resampling.LANCZOS).save(path, quality=82)


def main(runs: list[str]) -> None:
    """Build a report of the runs, and photograph its overview and the case that plays there, zoomed to the hole."""
    browser = Browser()
    with tempfile.TemporaryDirectory() as folder:
        index = write_report(runs, folder)
        browser.open(index, width=WIDTH, reduced=True)
        now = "return document.querySelector('{} [data-part=now]').value"
        browser.until(lambda: browser.script(now.format("[data-hero]")), "the first frame is shown")
        photograph(browser, IMAGES / "report-overview.jpg")
        case = browser.find(".hero-bar a").get_attribute("href").rpartition("/")[2]
        browser.open(index.parent / "cases" / case, "frame=12&zoom=1", width=WIDTH)
        browser.until(lambda: browser.script(now.format(".player")).startswith("13 /"), "frame 13 is shown")
        photograph(browser, IMAGES / "report-case.jpg")
    browser.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python docs/make/report_pictures.py RUN...")
    main(sys.argv[1:])
