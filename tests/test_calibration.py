"""The calibration page is what its command makes of the goldens of today."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "calibration.md"


def test_no_number_on_the_page_is_further_from_its_original_than_a_millionth_and_a_half() -> None:
    differences = [
        float(found) for found in re.findall(r"\| (\S+) \|$", PAGE.read_text(), re.MULTILINE) if "e" in found
    ]
    assert len(differences) >= 18
    assert max(differences) < 1.5e-6


def test_everything_that_must_be_equal_to_the_byte_is() -> None:
    text = PAGE.read_text()
    assert text.count(": yes") == 4 and "**no**" not in text
