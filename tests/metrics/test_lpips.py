from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from golden_metrics import EXPECTED, case_of, golden_case, golden_composite, noisy_pair
from torchvision.models import squeezenet1_1

from vibench.clip import Case
from vibench.errors import InputError, MissingResource
from vibench.metrics import lpips as ours
from vibench.metrics.networks import weights
from vibench.metrics.networks.weights import bundled_weights


@pytest.fixture(scope="module")
def metric() -> ours.LPIPS:
    return ours.alex()


def example(golden: Path, name: str) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(golden / "lpips" / f"ex_{name}.png")), cv2.COLOR_BGR2RGB)[None]


@pytest.mark.parametrize(("name", "expected"), [("p0", 0.722), ("p1", 0.138)])
def test_the_published_example_is_reached(metric: ours.LPIPS, golden: Path, name: str, expected: float) -> None:
    measured = metric.measure(example(golden, name), case_of(example(golden, "ref")))["frame"].mean
    assert measured == pytest.approx(expected, abs=1e-3)


def test_the_golden_clip_is_reached(metric: ours.LPIPS) -> None:
    values = metric.measure(golden_composite(), golden_case())["frame"].values
    np.testing.assert_allclose(values, EXPECTED["lpips_alex_v0.1"]["per_frame"], rtol=0, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("name", ["alex", "vgg", "squeeze"])
def test_both_regions_equal_the_package_s_own_forward_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random = squeezenet1_1(weights=None).state_dict()  # it is the arithmetic that is compared
    monkeypatch.setattr(ours.backbones, "squeeze", lambda: random)
    frames, truth = noisy_pair(0, 64, 97, frames=3)
    case = case_of(truth)
    try:
        metric = getattr(ours, name)()
    except MissingResource as missing:
        pytest.skip(str(missing))
    network = metric._network
    pair = [torch.from_numpy(clip).permute(0, 3, 1, 2) / 127.5 - 1 for clip in (frames, truth)]
    measured = metric.measure(frames, case)
    np.testing.assert_allclose(measured["frame"].values, network(*pair).flatten().tolist(), rtol=1e-5)
    network.spatial = True
    spatial = network(*pair)[:, 0].numpy()
    expected = [spatial[index][case.holes[index]].mean() for index in range(3)]
    np.testing.assert_allclose(measured["hole"].values, expected, rtol=1e-5)


def test_equal_frames_are_at_no_distance(metric: ours.LPIPS) -> None:
    _, truth = noisy_pair(1)
    measured = metric.measure(truth, case_of(truth))
    assert measured["frame"].values == measured["hole"].values == (0, 0)


def test_the_distance_is_symmetric(metric: ours.LPIPS) -> None:
    frames, truth = noisy_pair(2)
    one, other = metric.measure(frames, case_of(truth)), metric.measure(truth, case_of(frames))
    np.testing.assert_allclose(one["frame"].values, other["frame"].values, rtol=1e-5)


def test_a_frame_without_hole_has_no_hole_distance(metric: ours.LPIPS) -> None:
    frames, truth = noisy_pair(3)
    assert metric.measure(frames, case_of(truth, np.zeros(truth.shape[:3], bool)))["hole"].values == (None, None)


def test_batches_and_remembered_truth_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, truth = noisy_pair(4, frames=5)
    case = case_of(truth)
    metric = ours.alex()
    whole = metric.measure(frames, case)["frame"].values
    assert metric.measure(frames, case)["frame"].values == whole
    monkeypatch.setattr(ours, "BATCH_PIXELS", 2 * 80 * 90)
    monkeypatch.setattr(ours, "REMEMBERED_BYTES", 0)
    np.testing.assert_allclose(ours.alex().measure(frames, case)["frame"].values, whole, rtol=1e-5)


def test_the_truth_is_looked_at_once_for_all_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, truth = noisy_pair(4)
    metric, seen = ours.alex(), []
    features = ours.deep_features
    monkeypatch.setattr(ours, "deep_features", lambda network, clip: seen.append(clip.sum()) or features(network, clip))
    for _ in range(3):
        metric.measure(frames, case_of(truth))
    assert len(seen) == 4
    metric.measure(truth, case_of(frames))
    assert len(seen) == 6


LEAST_PX = 31


@pytest.mark.parametrize("size_px", [31, 30])
def test_the_smallest_frames_work_and_smaller_ones_are_refused(metric: ours.LPIPS, size_px: int) -> None:
    frames, truth = noisy_pair(5, size_px, 64)
    if size_px >= LEAST_PX:
        assert metric.measure(frames, case_of(truth))["frame"].mean is not None
    else:
        with pytest.raises(InputError, match="lpips-alex needs frames of at least 31 px a side, not 64x30"):
            metric.measure(frames, case_of(truth))


def test_damaged_weights_are_refused_and_never_replaced_by_random_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in weights.BUNDLED.glob("lpips-alexnet.*"):
        content = bytearray(file.read_bytes())
        if file.suffix == ".safetensors":
            content[-1] ^= 1
        (tmp_path / file.name).write_bytes(content)
    monkeypatch.setattr(weights, "BUNDLED", tmp_path)
    with pytest.raises(MissingResource, match="has sha256 .*, not .*; get that file again"):
        ours.alex()
    (tmp_path / "lpips-alexnet.safetensors").unlink()
    with pytest.raises(MissingResource, match="cannot be read"):
        ours.alex()


def test_a_backbone_with_other_layers_is_refused() -> None:
    state = bundled_weights("lpips-alexnet")
    state["features.0.weight"] = state["features.0.weight"][:, :, :5, :5]
    with pytest.raises(RuntimeError, match="size mismatch"):
        ours.load_backbone(ours.untrained("alex"), state)


def test_a_case_without_truth_is_a_broken_contract(metric: ours.LPIPS) -> None:
    frames, _ = noisy_pair(6)
    with pytest.raises(ValueError, match="has no truth"):
        metric.measure(frames, Case("removal", frames, np.ones(frames.shape[:3], bool), None))


def test_the_function_on_two_clips_is_the_metric(metric: ours.LPIPS) -> None:
    frames, truth = noisy_pair(6)
    case = case_of(truth)
    network = ours.trained("alex", bundled_weights("lpips-alexnet")).eval()
    found, expected = ours.lpips(network, frames, truth), metric.measure(frames, case)
    np.testing.assert_allclose(found.frame, expected["frame"].values, rtol=1e-5)
    holes = [spatial[hole].mean() for spatial, hole in zip(found.spatial, case.holes, strict=True)]
    np.testing.assert_allclose(holes, expected["hole"].values, rtol=1e-5)


def test_the_function_looks_at_both_clips(metric: ours.LPIPS) -> None:
    frames, truth = noisy_pair(6)
    for wrong in ((frames / 255, truth), (frames, truth / 255), (frames, truth[:1]), (truth[..., ::-1], truth)):
        with pytest.raises(InputError, match=r"frames|truth"):
            ours.lpips(None, *wrong)
