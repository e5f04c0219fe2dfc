"""The calibration page is what its command makes of the goldens of today."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"


def test_no_number_on_the_page_is_further_from_its_original_than_rounding_explains() -> None:
    """A millionth and a half; I3D features, sums of 57 float32 layers of which seven digits are kept, twice that."""
    lines = re.findall(r"^\| (.+?) \| .* \| (\d\S*e\S+) \|$", PAGE.read_text(), re.MULTILINE)
    differences = {what: float(found) for what, found in lines}
    assert len(differences) >= 20
    for what, difference in differences.items():
        assert difference < (3e-6 if "features" in what else 1.5e-6), what


def test_everything_that_must_be_equal_to_the_byte_is() -> None:
    text = PAGE.read_text()
    assert text.count(": yes") == 4 and "**no**" not in text
