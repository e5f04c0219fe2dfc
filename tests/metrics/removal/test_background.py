"""Background preservation, as two suites publish it: their digits, and what each hides."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from golden_removal import EXPECTED, clip, largest, rules

from vibench.clip import Case, Frames
from vibench.metrics import lpips as lpips_metric
from vibench.metrics.networks import backbones
from vibench.metrics.removal import background_dpo as dpo
from vibench.metrics.removal import background_videopainter as videopainter

VIDEOPAINTER, DPO = EXPECTED["background"]["videopainter"], EXPECTED["background"]["jh5117"]


@pytest.fixture
def squeeze(monkeypatch: pytest.MonkeyPatch) -> None:
    """SqueezeNet with the weights of the rule, since its own are a download."""
    state = {
        f"features.{name}": torch.from_numpy(values) for name, values in rules().weights("squeezenet_features").items()
    }
    monkeypatch.setattr(backbones, "squeeze", lambda: state)


def case(frames: Frames | None = None) -> Case:
    return Case("golden", clip("input"), clip("masks"), clip("truth") if frames is None else frames)


@pytest.mark.parametrize("name", ["psnr", "ssim", "lpips", "mse", "mae"])
@pytest.mark.parametrize(
    ("region", "block"), [("one-masked", "as_released_only_comp_masked"), ("both-masked", "both_masked")]
)
def test_videopainter_s_numbers(name: str, region: str, block: str, squeeze: None) -> None:
    metric = getattr(videopainter, f"{name}_videopainter")()
    found = metric.measure(clip("output"), case())[region]
    expected = VIDEOPAINTER[block][name]
    # Theirs are float32: seven digits of some 40 dB.
    assert largest(found.values, expected["per_frame"]) < (5e-6 if name == "psnr" else 1.5e-6)
    assert found.mean == pytest.approx(expected["mean"], rel=1e-6)


@pytest.mark.parametrize("name", ["psnr", "ssim", "lpips", "mse", "mae"])
def test_a_perfect_background_is_scored_far_from_perfect_as_released(name: str, squeeze: None) -> None:
    composited = np.where(clip("masks")[..., None], clip("output"), clip("truth"))
    measured = getattr(videopainter, f"{name}_videopainter")().measure(composited, case())
    expected = VIDEOPAINTER["as_released_composited"][name]["per_frame"]
    found = [100.0 if value == "inf" else value for value in expected]
    assert largest(measured["one-masked"].values, found) < (5e-6 if name == "psnr" else 1.5e-6)
    perfect = {"psnr": 100.0, "ssim": 1.0}.get(name, 0.0)
    assert measured["both-masked"].values == pytest.approx([perfect] * 6, abs=1e-7)


def test_whole_frames_are_the_usual_measures(squeeze: None) -> None:
    expected, pairs = VIDEOPAINTER["whole_frame"], list(zip(clip("output"), clip("truth"), strict=True))
    assert largest([videopainter.psnr(*pair) for pair in pairs], expected["psnr"]["per_frame"]) < 5e-6
    assert largest([videopainter.padded_ssim(*pair) for pair in pairs], expected["ssim"]["per_frame"]) < 1.5e-6
    assert largest([videopainter.mean_squared_error(*pair) for pair in pairs], expected["mse"]["per_frame"]) < 1e-8
    assert largest([videopainter.mean_absolute_error(*pair) for pair in pairs], expected["mae"]["per_frame"]) < 1e-8
    network = lpips_metric.trained("squeeze", backbones.squeeze()).eval()
    found = lpips_metric.lpips(network, clip("output"), clip("truth")).frame
    assert largest(found, expected["lpips"]["per_frame"]) < 1e-7


def test_dpo_s_numbers() -> None:
    expected = DPO["against_truth"]
    found = {
        name: getattr(dpo, f"{name}_dpo")().measure(clip("output"), case())["outside"]
        for name in ("psnr", "ssim", "change")
    }
    assert largest(found["psnr"].values, expected["PSNR_bg_per_frame"]) < 1e-9
    assert largest(found["ssim"].values, expected["SSIM_bg_ignore_mask_per_frame"]) < 1e-12
    assert found["change"].mean == pytest.approx(expected["TC_bg_pixel_proxy"], abs=1e-7)


def test_dpo_on_a_smaller_frame_to_which_the_truth_was_resized() -> None:
    expected = DPO["smaller_output_frame0"]
    size = expected["size_hw"][::-1]
    frame, truth = (np.asarray(cv2.resize(clip(n)[0], size, interpolation=cv2.INTER_AREA)) for n in ("output", "truth"))
    hole = cv2.resize(clip("masks")[0].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    assert int(hole.sum()) == expected["mask_pixels"]
    assert dpo.known_psnr(frame, truth, hole) == pytest.approx(expected["PSNR_bg"], abs=1e-9)
    assert dpo.blackened_ssim(frame, truth, hole) == pytest.approx(expected["SSIM_bg"], abs=1e-12)


ALL: list[Any] = [
    videopainter.psnr_videopainter, videopainter.ssim_videopainter, videopainter.mse_videopainter,
    videopainter.mae_videopainter, dpo.psnr_dpo, dpo.ssim_dpo, dpo.change_dpo,
]  # fmt: skip


@pytest.mark.parametrize("factory", ALL)
def test_what_was_filled_does_not_count_and_a_damaged_background_does(factory: Any) -> None:
    metric, output = factory(), clip("output")
    repainted = np.where(clip("masks")[..., None], 255 - output, output)
    damaged = np.where(clip("masks")[..., None], output, np.clip(output.astype(int) * 3 // 4, 0, 255)).astype(np.uint8)
    region = "both-masked" if "videopainter" in metric.info.name else "outside"
    whole, other, worse = (metric.measure(frames, case())[region].mean for frames in (output, repainted, damaged))
    assert whole == other
    assert worse < whole if metric.info.better == "higher" else worse > whole


@pytest.mark.parametrize("factory", ALL)
def test_output_and_original_may_be_exchanged_but_where_one_is_masked(factory: Any) -> None:
    metric = factory()
    one = metric.measure(clip("output"), Case("one", clip("input"), clip("masks"), clip("truth")))
    other = metric.measure(clip("truth"), Case("other", clip("input"), clip("masks"), clip("output")))
    for region, series in one.items():
        equal = series.values == pytest.approx(other[region].values, abs=1e-9)
        assert equal if region != "one-masked" else not equal


@pytest.mark.parametrize("factory", ALL)
def test_without_truth_the_input_is_what_the_background_was(factory: Any) -> None:
    metric = factory()
    region = "both-masked" if "videopainter" in metric.info.name else "outside"
    known = metric.measure(clip("output"), Case("known", clip("input"), clip("masks"), clip("input")))
    unknown = metric.measure(clip("output"), Case("unknown", clip("input"), clip("masks"), None))
    assert known[region] == unknown[region]


def test_an_exact_background_has_no_psnr_in_dpo_s_mean() -> None:
    measured = dpo.psnr_dpo().measure(clip("truth"), case())["outside"]
    assert set(measured.values) == {None} and measured.mean is None
