"""The end-point errors of a network's flow and of DIS stand side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_run import photo_folder

from vinet import weights
from vinet.config import VINetConfig
from vinet.errors import VINetError
from vinet.training.flow_error import interval, measure


def test_an_untrained_network_is_measured_beside_dis(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos")
    weights.save(weights.random_network(VINetConfig.compact(0.0625)), tmp_path / "w.safetensors")
    found = measure(tmp_path / "w.safetensors", str(photos), 3, 64, 1.0)
    assert {len(values) for regions in found.scenes.values() for values in regions.values()} == {3}
    outside = {name: np.nanmean(regions["outside"]) for name, regions in found.scenes.items()}
    assert outside["dis"] < outside["still"]
    assert found.table().count("\n") == 5


def test_the_bundled_heads_are_better_than_dis_outside_and_inside_holes(shared_data: Path) -> None:
    """On scenes of the photos that no training sees; the paired intervals exclude zero."""
    found = measure(
        weights.BUNDLED / "compact-learned-flow.safetensors", str(shared_data / "train/photos"), 48, 96, 2.0
    )
    for region in ("outside", "inside"):
        own, dis = (np.array(found.scenes[name][region]) for name in ("network", "dis"))
        assert interval((own - dis)[~np.isnan(own)])[1] < 0


def test_a_network_without_heads_is_refused(tmp_path: Path) -> None:
    weights.save(weights.random_network(VINetConfig.compact(0.0625, given_flow=True)), tmp_path / "w.safetensors")
    with pytest.raises(VINetError, match="without flow heads"):
        measure(tmp_path / "w.safetensors", "nowhere", 1, 64, 1.0)


def test_the_interval_holds_the_mean() -> None:
    low, high = interval(np.arange(10.0))
    assert low < 4.5 < high
