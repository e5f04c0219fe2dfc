"""``measure``: the numbers of a notebook are those of the harness."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import pytest
from golden_metrics import EXPECTED, golden_case, golden_composite, noisy_pair
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vibench import plugins
from vibench.clip import Case, Frames
from vibench.errors import InputError
from vibench.metric import MetricInfo, Series
from vibench.metrics.measure import Measured, measure

ON_CLIPS = [
    "psnr",
    "ssim-gaussian",
    "ssim-sttn",
    "lpips-alex",
    "warping-error-exact",
    "warping-error-dis",
    "warping-error-own-dis",
    "warping-error-devil-exact",
    "warping-error-devil-dis",
    "flicker-dis",
    "seam",
    "patch-consistency-devil",
]


@pytest.mark.parametrize("name", ON_CLIPS)
def test_every_metric_gives_what_the_harness_gets(name: str) -> None:
    case, frames = golden_case(), golden_composite()
    expected = plugins.make("metrics", plugins.Spec.parse(name), device="cpu").measure(frames, case)
    measured = measure(name, frames, case.truth, case.holes, flow=case.flow, device="cpu")
    assert measured.regions == {region: series.values for region, series in expected.items()}
    assert measured.mean == {region: series.mean for region, series in expected.items()}


def test_the_numbers_are_the_goldens() -> None:
    case = golden_case()
    measured = measure("psnr", golden_composite(), case.truth, case.holes)
    family = EXPECTED["sttn_family"]["composite_rounded"]
    np.testing.assert_allclose(measured["frame"], family["psnr"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(measured["hole"], EXPECTED["libraries"]["hole_psnr"], rtol=0, atol=1e-12)
    assert measured.mean["frame"] == pytest.approx(EXPECTED["devil"]["psnr"], abs=1e-6)


def test_psnr_and_ssim_equal_scikit_image() -> None:
    frames, truth = noisy_pair(7)
    pairs = list(zip(frames, truth, strict=True))
    psnr = [peak_signal_noise_ratio(true, frame, data_range=255) for frame, true in pairs]
    ssim = [structural_similarity(true, frame, win_size=65, data_range=255, channel_axis=2) for frame, true in pairs]
    assert measure("psnr", frames, truth)["frame"] == pytest.approx(psnr, rel=1e-12)
    assert measure("ssim-sttn", frames, truth)["frame"] == pytest.approx(ssim, rel=1e-12)
    gaussian = [
        structural_similarity(
            true, frame, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
        )
        for frame, true in pairs
    ]
    assert measure("ssim-gaussian", frames, truth)["frame"] == pytest.approx(gaussian, rel=1e-9)


def test_without_holes_only_whole_frames_have_values() -> None:
    frames, truth = noisy_pair(8)
    measured = measure("psnr", frames, truth)
    assert measured["hole"] == (None, None)
    assert measured.mean["hole"] is None
    assert measured["frame"] == measure("psnr", frames, truth, np.eye(80, 90) > 0)["frame"]


def test_a_result_reads_like_a_sentence() -> None:
    frames, truth = noisy_pair(8)
    measured = measure("psnr", frames, truth)
    assert (measured.unit, measured.better, measured.metric.name) == ("dB", "higher", "psnr")
    assert repr(measured).startswith("<psnr, higher is better: frame 2")
    assert repr(measured).endswith(" dB (2 values), hole none (2 values)>")
    with pytest.raises(InputError, match="psnr has no region 'holes'; it has frame, hole"):
        measured["holes"]


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ("psnr", "psnr compares frames with the truth; pass truth"),
        ("seam", "seam has a value only where there is a hole; pass holes"),
        ("psmr", "did you mean 'psnr'"),
        ("psnr[peak=1]", "psnr has no option 'peak'"),
    ],
)
def test_what_is_missing_is_named(metric: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        measure(metric, noisy_pair(9)[0])


def test_exact_flow_is_asked_for() -> None:
    frames, truth = noisy_pair(9)
    with pytest.raises(InputError, match="needs the exact motion of the truth; pass flow"):
        measure("warping-error-exact", frames, truth)


def test_arrays_are_looked_at() -> None:
    frames, truth = noisy_pair(9)
    for wrong, sentence in (
        ((frames / 255, truth / 255), "frames are float64 .* in 0..1"),
        ((frames, truth / 255), "truth is float64 .* in 0..1"),
        ((frames, truth[:1]), "frames are .* and truth is"),
        ((truth[..., ::-1], truth), "frames look BGR"),
        ((frames, truth, np.ones((80, 90))), "holes are float64"),
    ):
        with pytest.raises(InputError, match=sentence):
            measure("psnr", *wrong)


class Brightness:
    """A metric that a notebook defines."""

    info = MetricInfo("brightness", "brightness", "grey levels", "higher", needs=frozenset())

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        return {"frame": Series.of([float(frame.mean()) for frame in frames])}


class SetOfClips(Brightness):
    info = MetricInfo("features", "features", "", "lower", aggregate="frechet-distance")


def test_a_metric_of_one_s_own_is_measured_as_an_object_and_by_its_path() -> None:
    frames, _ = noisy_pair(10)
    expected = Measured(Brightness.info, {"frame": tuple(float(frame.mean()) for frame in frames)})
    assert measure(Brightness(), frames) == expected
    assert measure(f"{__name__}:Brightness", frames).regions == expected.regions


def test_a_metric_of_sets_of_clips_says_so() -> None:
    frames, truth = noisy_pair(10)
    with pytest.raises(InputError, match="features compares the clips of a method with the true clips as two sets"):
        measure(SetOfClips(), frames, truth)


def test_a_metric_is_made_once_for_many_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, truth = noisy_pair(11)
    first = measure("lpips-alex", frames, truth, device="cpu")
    monkeypatch.setattr(plugins, "make", None)
    assert measure("lpips-alex", frames, truth, device="cpu") == first


def test_a_metric_without_a_network_is_measured_without_torch() -> None:
    script = """
import sys
import numpy as np
from vibench.metrics.measure import measure
frames = np.zeros((2, 70, 70, 3), np.uint8)
print(measure("psnr", frames, frames).mean["frame"], measure("ssim-sttn", frames, frames), "torch" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "100.0 <ssim-sttn, higher is better: frame 1 (2 values)> False\n"
