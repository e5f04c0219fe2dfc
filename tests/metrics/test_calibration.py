"""The calibration page is what its command makes of the goldens of today."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden_removal import EXPECTED

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"


def test_no_number_on_the_page_is_further_from_its_original_than_rounding_explains() -> None:
    """A millionth and a half; I3D features, sums of 57 float32 layers of which seven digits are kept, twice that."""
    lines = re.findall(r"^\| ([^|]+) \|[^|]+\|[^|]+\| (\d\S*e\S+) \|$", PAGE.read_text(), re.MULTILINE)
    differences = {what: float(found) for what, found in lines}
    assert len(differences) >= 120
    for what, difference in differences.items():
        assert difference < (3e-6 if "features" in what else 1.5e-6), what


def test_where_the_original_itself_rounds_no_number_is_further_than_that() -> None:
    lines = re.findall(r"^\| ([^|]+) \|[^|]+\|[^|]+\| (\S+) \| (\S+) \|$", PAGE.read_text(), re.MULTILINE)
    rounded = {what: (float(found), float(allowed)) for what, found, allowed in lines if "e-" in allowed}
    assert len(rounded) >= 30
    for what, (difference, allowed) in rounded.items():
        assert difference <= allowed, what


def test_everything_that_must_be_equal_to_the_byte_is() -> None:
    text = PAGE.read_text()
    assert text.count(": yes") == 4 and "**no" not in text
    assert text.count(": equal") >= 40


NOT_COMPARED = {
    r"^salt$|^runs_equal$|^made_with\.|\.source$|\.note$|\.?source\b": "words about the file",
    r"^weights_check\.": "the drawn weights, which test_pretrained.py compares",
    r"\.config\.|^tc\.clip_config\.|\.image_hw\.|\.target_size$|\.size_hw\.": "inputs",
    r"\.crop\.\d$|\.input_hw\.|\.shape\.|^kernel\.m$|sha256": "inputs",
    r"\.(ori|comp|masks|lpips_backbone|features|image|flow|clip|x|y|frames|mask_dtype)$": "inputs, in words",
    r"\.output_made_by$|\.frames\.\d$": "inputs, in words",
    r"\.float32(\.|$)|\.soft_masks_float32\.": "what the original gives in float32 where its float64 is compared",
    r"^mawe\.(truth|output)\.mawe$": "the same",
    r"half_precision|max_abs_difference": "no golden: a float16 run, a difference of two libraries",
    r"\.mode_[1L]_dtype$|empty_mask_crop$": "words",
}
"""Places of expected.json that the page does not compare, and what they hold."""


def leaves(values: Any, path: str = "") -> Iterator[str]:
    """The place of every value in nested lists and dictionaries."""
    inside = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else None
    if inside is None:
        yield path
        return
    for key, value in inside:
        yield from leaves(value, f"{path}.{key}" if path else str(key))


def test_no_number_of_the_removal_metrics_originals_is_left_out() -> None:
    shown = set(re.findall(r"^(?:\||-) [^|]*?: `([a-z][\w.-]+)`", PAGE.read_text(), re.MULTILINE))
    assert len(shown) > 150
    missing = [
        leaf
        for leaf in leaves(EXPECTED)
        if not any(leaf == path or leaf.startswith(f"{path}.") for path in shown)
        and not any(re.search(pattern, leaf) for pattern in NOT_COMPARED)
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("pattern", NOT_COMPARED)
def test_what_is_not_compared_is_there(pattern: str) -> None:
    assert any(re.search(pattern, leaf) for leaf in leaves(EXPECTED))
