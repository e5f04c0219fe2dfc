"""Chromium under the hand of a test, through its own driver: what a reader of a report sees, clicks and presses."""

from __future__ import annotations

import base64
import io
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = (
    None if CHROMIUM and DRIVER else "needs chromium and chromedriver on the path (Debian: chromium chromium-driver)"
)
PATIENCE_SECONDS = 20.0

READS_VIDEO = "--allow-file-access-from-files"
"""Pixels of a video from disk are closed to scripts; with this option a test may read what the page has drawn."""


class Browser:
    """One window. ``options`` are Chromium's own."""

    def __init__(self, *options: str) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        chosen = webdriver.ChromeOptions()
        chosen.binary_location = str(CHROMIUM)
        fixed = (
            "--headless=new",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-dev-shm-usage",
            "--no-first-run",
        )
        # Chromium refuses its sandbox to root, who runs tests in containers.
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
        for option in (*fixed, *sandbox, *options):
            chosen.add_argument(option)
        chosen.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=chosen, service=Service(str(DRIVER)))

    def close(self) -> None:
        self.driver.quit()

    def open(self, page: Path, link: str = "", *, width: int = 1280, dark: bool = False, reduced: bool = False) -> None:
        """Load ``page`` anew as a window of this width and a reader with these wishes sees it."""
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced else "no-preference"},
        ]
        self.command("Emulation.setEmulatedMedia", features=features)
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        # A link that differs in its hash alone would not load the page again.
        self.driver.get("about:blank")
        self.driver.get(page.as_uri() + (f"#{link}" if link else ""))

    def command(self, name: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, arguments)

    def script(self, text: str, *arguments: Any) -> Any:
        return self.driver.execute_script(text, *arguments)

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        for key in keys:
            ActionChains(self.driver, duration=0).send_keys(key).perform()

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def find_all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def click(self, selector: str) -> None:
        self.in_sight(self.find(selector)).click()

    def in_sight(self, element: Any) -> Any:
        """Scroll at once to ``element`` and return it: pages scroll smoothly, and a click would come too early."""
        self.script("arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })", element)
        return element

    def choose(self, selector: str, value: str) -> None:
        from selenium.webdriver.support.select import Select

        next(
            option
            for option in Select(self.in_sight(self.find(selector))).options
            if option.get_attribute("value") == value
        ).click()

    def until(self, is_so: Callable[[], Any], what: str) -> Any:
        """Wait until ``is_so()`` is true and return it."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while not (found := is_so()):
            assert time.monotonic() < ends, f"{what}: not within {PATIENCE_SECONDS:.0f} s"
            time.sleep(0.02)
        return found

    def complaints(self) -> list[str]:
        """What the console has heard since the last call, of any level."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def canvases(self, selector: str) -> list[NDArray[np.uint8]]:
        """What is drawn in each canvas, (height, width, 3), in the canvas's own pixels; needs READS_VIDEO."""
        from PIL import Image

        urls = self.script(f"return [...document.querySelectorAll('{selector}')].map((canvas) => canvas.toDataURL())")
        pictures = (Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls)
        return [np.asarray(picture.convert("RGB")) for picture in pictures]
