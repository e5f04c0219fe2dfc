"""VINet registered as a method of the benchmark."""

import hashlib
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from golden_vinet import drawn_weights

from vibench.clip import Frames, Holed
from vibench.errors import UserError
from vibench.plugins import Spec, make
from vinet import weights
from vinet.choice import Ablation
from vinet.config import VINetConfig
from vinet.cost import flop_per_frame
from vinet.method import VINetMethod


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    # After PyTorch's own faint start a switch may change no byte of the result; these weights carry a signal through.
    config = VINetConfig.compact(0.125)
    state = weights.random_network(config).state_dict()
    drawn = drawn_weights({name: list(values.shape) for name, values in state.items() if values.ndim})
    weights.save(weights.build(config, {**state, **drawn}, "drawn weights"), path, {"steps": "0"})
    return path


@pytest.fixture
def holed() -> Holed:
    generator = np.random.default_rng(2)
    masks = generator.random((4, 24, 32)) < 0.2
    frames = generator.integers(0, 256, (4, 24, 32, 3), dtype=np.uint8)
    frames[masks] = 0
    return Holed("noise", frames, masks)


def test_stream_and_whole_clip_are_equal(small_file: Path, holed: Holed) -> None:
    method = VINetMethod(weights=str(small_file))
    whole = method(holed)
    assert whole.shape == holed.frames.shape and whole.dtype == np.uint8
    assert np.array_equal(whole, np.stack(list(method.stream(holed.frames, holed.masks))))


@pytest.mark.parametrize(
    "option",
    [{"memory": False}, {"recurrence": False}, {"flow_warping": False}, {"feature_composition": False}, {"warm_up": 2}],
)
def test_every_switch_changes_the_result_and_is_recorded(
    small_file: Path, holed: Holed, option: dict[str, Any]
) -> None:
    whole, switched = VINetMethod(weights=str(small_file)), VINetMethod(weights=str(small_file), **option)
    assert not np.array_equal(whole(holed), switched(holed))
    (name, value), description = *option.items(), switched.describe()
    assert (description["options"] | description["config"])[name] == value or description["options"][name] == value


@pytest.mark.parametrize("option", ["flow_warping", "feature_composition"])
def test_an_ablation_by_architecture_costs_less(small_file: Path, option: str) -> None:
    whole = VINetMethod(weights=str(small_file)).describe()
    options: dict[str, Any] = {option: False}
    without = VINetMethod(weights=str(small_file), **options).describe()
    assert without["parameters"] < whole["parameters"]
    assert without["flop_per_frame"] < whole["flop_per_frame"]


def test_random_weights_only_on_request_and_with_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(weights, "BUNDLED", tmp_path)
    with pytest.raises(UserError, match="weights=FILE"):
        VINetMethod(preset="published")
    description = VINetMethod(weights="random").describe()
    assert "random" in description["warning"] and description["weights_sha256"] is None


def test_a_flow_that_the_weights_were_not_trained_for_is_refused(small_file: Path) -> None:
    with pytest.raises(UserError, match="flow=dis does not fit"):
        VINetMethod(weights=str(small_file), flow="dis")
    with pytest.raises(UserError, match="flow=learned does not fit .*compact-no-memory"):
        VINetMethod(ablation="no-memory", flow="learned")


def test_the_bundled_weights_come_with_their_training_and_fill_a_moving_texture_better_than_telea() -> None:
    from baselines.telea import Telea

    texture = np.random.default_rng(0).integers(0, 256, (32, 64, 3)).astype(np.uint8)
    texture = cv2.resize(texture, (256, 128), interpolation=cv2.INTER_CUBIC)
    frames = np.stack([texture[:96, 4 * t : 4 * t + 128] for t in range(16)])
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, 36:60, 52:76] = True
    holed = Holed("moving", np.where(masks[..., None], 0, frames).astype(np.uint8), masks)
    method = VINetMethod()
    assert method.describe()["config"]["given_flow"]
    assert method.describe()["weights_notes"]["recipe"] == "large-cpu"

    def error(filled: Frames) -> float:
        return float(np.square(filled.astype(float) - frames)[masks].mean())

    assert error(method(holed)) < 0.8 * error(Telea()(holed))


def test_the_bundled_weights_with_learned_flow_have_heads_of_their_own() -> None:
    config = VINetMethod(flow="learned").describe()["config"]
    assert config["flow_encoder"] and not config["given_flow"]


@pytest.mark.parametrize(
    ("ablation", "without"),
    [
        ("no-memory", {"memory": False}),
        ("no-recurrence", {"recurrence": False}),
        ("one-neighbour", {"neighbours": 1}),
        ("no-flow", {"flow_warping": False, "given_flow": False}),
    ],
)
def test_an_ablation_differs_from_the_full_network_by_its_part_alone(
    ablation: Ablation, without: dict[str, Any]
) -> None:
    full, ablated = (VINetMethod(ablation=name).describe() for name in ("full", ablation))
    assert full["config"] | {"smooth_composition": True} == VINetMethod().describe()["config"]
    assert ablated["config"] == full["config"] | without
    for note in ("recipe", "stages", "steps"):
        assert ablated["weights_notes"][note] == full["weights_notes"][note]


@pytest.mark.parametrize("ablation", get_args(Ablation))
def test_an_ablation_named_on_the_command_line_has_the_weights_of_its_file(ablation: str) -> None:
    path = weights.bundled_ablation(ablation)
    made = make("methods", Spec.parse(f"vinet[ablation={ablation}]")).describe()
    assert made["weights_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_are_identified(small_file: Path) -> None:
    description = VINetMethod(weights=str(small_file)).describe()
    assert len(description["weights_sha256"]) == 64
    assert "warning" not in description


@pytest.mark.parametrize(
    "options",
    [
        {"weights": "nowhere.pth"},
        {"preset": "huge"},
        {"flow": "raft"},
        {"ablation": "no-colour"},
        {"ablation": "no-memory", "weights": "random"},
        {"neighbours": -1},
        {"precision": "float16"},
    ],
)
def test_what_cannot_work_is_one_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        VINetMethod(**{"weights": "random", **options})


def test_neighbours_that_the_weights_were_not_trained_for_are_refused(small_file: Path) -> None:
    with pytest.raises(UserError, match="trained with 4"):
        VINetMethod(weights=str(small_file), neighbours=1)
    assert VINetMethod(weights="random", neighbours=1).describe()["config"]["neighbours"] == 1


def test_the_published_network_costs_what_its_description_says() -> None:
    """455 GFLOP in the released schedule, of which three encoder passes of 7.9 are saved here."""
    assert flop_per_frame(VINetConfig.published(), 256, 256) == pytest.approx(455e9 - 3 * 7.93e9, rel=0.01)
