"""The order of docs/removal.md: true background, Telea's fill, the object left in; and what only ``effect`` sees."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from vibench import plugins

MAKE = Path(__file__).parents[3] / "docs" / "make"

pytestmark = pytest.mark.skipif(not MAKE.exists(), reason="needs a checkout, not a wheel")


@pytest.fixture(scope="module")
def sanity() -> Any:
    sys.path.insert(0, str(MAKE))
    try:
        spec = importlib.util.spec_from_file_location("sanity", MAKE / "sanity.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(MAKE))


@pytest.fixture(scope="module")
def rows(sanity: Any) -> Any:
    """Three frames of the five scenes with a still camera."""
    metrics = [plugins.make("metrics", plugins.Spec(name), device="cpu") for name in ("psnr", "warping-error-exact")]
    found = sanity.measured(metrics, sanity.staged("still", 3))
    return {(row.metric.info.name, row.region): row for row in found}


def test_the_order_holds_where_the_page_says_so(sanity: Any, rows: Any) -> None:
    for key in (("psnr", "frame"), ("psnr", "hole"), ("warping-error-exact", "hole")):
        row = rows[key]
        assert sanity.wins(row, "true background", "Telea") == "5/5"
        assert sanity.wins(row, "true background", "object left in") == "5/5"
    assert sanity.wins(rows["psnr", "frame"], "Telea", "object left in") in ("4/5", "5/5")


def test_only_the_region_effect_sees_an_effect_that_was_left_in(sanity: Any, rows: Any) -> None:
    assert sanity.wins(rows["psnr", "hole"], "true background", "effect left in") == "0/5"
    assert sanity.wins(rows["psnr", "kept"], "true background", "effect left in") == "0/5"
    assert sanity.wins(rows["psnr", "effect"], "true background", "effect left in") == "5/5"


def test_a_metric_of_pairs_puts_flicker_last_and_psnr_does_not(sanity: Any, rows: Any) -> None:
    for worse in ("another place", "effect left in"):
        assert sanity.wins(rows["warping-error-exact", "hole"], worse, "flickering") == "5/5"
        assert sanity.wins(rows["psnr", "effect"], "flickering", worse) == "5/5"


def test_the_table_has_a_line_for_each_row_that_can_differ(sanity: Any, rows: Any) -> None:
    lines = sanity.table(list(rows.values())).splitlines()
    assert len(lines) == 2 + sum(not region.startswith("kept") for _, region in rows)
    assert lines[3].startswith("| `psnr` ↑ | hole | 100 | ")
