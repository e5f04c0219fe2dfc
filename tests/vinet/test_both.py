"""A clip filled in both directions of time, and the merge of its sources."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vibench.clip import Holed
from vibench.errors import UserError
from vibench.method import StreamingMethod, WindowedMethod
from vinet import both, weights
from vinet.both import Passes, fills, linear_blend, merged, passes, sources
from vinet.config import VINetConfig
from vinet.inference import Inpainter, Settings
from vinet.large import Pyramid
from vinet.method import VINetMethod
from vinet.network.merge import CHANNELS, Merge, seen_of
from vinet.propagation import Frames

FRAMES, HEIGHT, WIDTH = 8, 64, 96


@pytest.fixture(scope="module")
def clip() -> Holed:
    """A still texture, and a hole that moves across it: every pixel is shown by some frame."""
    coarse = np.random.default_rng(0).integers(0, 256, (16, 24, 3)).astype(np.uint8)
    texture = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    frames, masks = np.stack([texture] * FRAMES), np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for t in range(FRAMES):
        masks[t, 20:40, 10 + 10 * t : 26 + 10 * t] = True
    return Holed("still", np.where(masks[..., None], 0, frames).astype(np.uint8), masks)


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    return Inpainter(weights.random_network(VINetConfig.compact(0.125, given_flow=True)))


@pytest.fixture(scope="module")
def found(clip: Holed, inpainter: Inpainter) -> both.Sources:
    return sources(passes(Pyramid(inpainter), clip.frames, clip.masks), clip.frames, clip.masks)


def truth(clip: Holed) -> Frames:
    return np.asarray(np.where(clip.masks[0][..., None], clip.frames[-1], clip.frames[0]))


def test_the_pass_forward_is_one_that_was_warmed_up_on_the_whole_clip(clip: Holed, inpainter: Inpainter) -> None:
    warm = Inpainter(inpainter.network, settings=Settings(warm_up=FRAMES))
    expected = np.stack(list(warm.stream(clip.frames, clip.masks)))
    passed = passes(Pyramid(inpainter), clip.frames, clip.masks).frames[1]
    np.testing.assert_array_equal(passed[clip.masks], expected[clip.masks])
    np.testing.assert_array_equal(passed[~clip.masks], clip.frames[~clip.masks])


def test_the_pass_backward_is_the_reversed_clip_up_to_where_it_looks_ahead_beyond_its_end(
    clip: Holed, inpainter: Inpainter
) -> None:
    expected = np.stack(list(inpainter.stream(clip.frames[::-1], clip.masks[::-1])))[::-1]
    passed = passes(Pyramid(inpainter), clip.frames, clip.masks).frames[0]
    late = clip.masks & (np.arange(FRAMES) >= inpainter.config.lookahead)[:, None, None]
    np.testing.assert_array_equal(passed[late], expected[late])


def test_the_linear_blend_weighs_by_the_frames_since_each_end() -> None:
    backward, forward = np.full((3, 1, 1, 3), 100, np.uint8), np.full((3, 1, 1, 3), 200, np.uint8)
    blend = linear_blend(Passes(np.stack([backward, forward]), np.zeros((2, 3, 1, 1), np.uint8)))
    assert blend[:, 0, 0, 0].tolist() == [125, 150, 175]


def test_followed_pixels_are_the_truth_with_their_age_and_none_where_no_frame_shows_them(
    clip: Holed, found: both.Sources
) -> None:
    past, future = found.colours[2], found.colours[3]
    assert not found.known[2, 0][clip.masks[0]].any()  # nothing is before the first frame
    assert found.known[3, 0][clip.masks[0]].mean() > 0.8
    seen = clip.masks & found.known[2]
    assert np.abs(past.astype(int) - truth(clip))[seen].mean() < 2
    seen = clip.masks & found.known[3]
    assert np.abs(future.astype(int) - truth(clip))[seen].mean() < 2
    # The hole is 16 px wide and moves by 10: its first columns are seen in the next frame.
    assert (found.age[3, 0, 24:36, 12:17] == 1).all()
    assert (found.age[~np.broadcast_to(clip.masks, found.age.shape)] == 0).all()


def drawn(seed: int = 0) -> Merge:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Merge()


def test_weights_are_shares_and_an_unknown_source_has_none(clip: Holed, found: both.Sources) -> None:
    seen = fills(found, clip.masks, [0, 3], (slice(8, 56), slice(0, 96)))
    assert seen_of(seen).shape == (2, 5, CHANNELS, 48, 96)
    colours, weight = drawn()(seen)
    assert colours.shape == (2, 3, 48, 96)
    torch.testing.assert_close(weight.sum(dim=1), torch.ones(2, 1, 48, 96))
    assert weight[seen.known == 0].max() == 0


def test_sources_in_another_order_give_the_same_frame(clip: Holed, found: both.Sources) -> None:
    seen = fills(found, clip.masks, [2], (slice(8, 56), slice(0, 96)))
    order = [2, 0, 4, 3, 1]
    turned = seen._replace(
        **{name: getattr(seen, name)[:, order] for name in ("colours", "known", "age", "copied", "start")},
        propagated=seen.propagated[order],
    )
    torch.testing.assert_close(drawn()(turned)[0], drawn()(seen)[0], atol=1e-5, rtol=0)


def test_what_all_sources_agree_on_is_the_merge_and_known_pixels_stay(clip: Holed, found: both.Sources) -> None:
    agreed = found._replace(colours=np.broadcast_to(truth(clip), found.colours.shape))
    filled = merged(drawn(), agreed, clip.frames, clip.masks)
    assert np.abs(filled.astype(int) - truth(clip)).max() <= 1
    np.testing.assert_array_equal(filled[~clip.masks], clip.frames[~clip.masks])


def test_both_directions_take_the_whole_clip_and_one_streams(clip: Holed, tmp_path: Path) -> None:
    path = tmp_path / "merge.safetensors"
    weights.save(drawn(), path)
    method = VINetMethod(directions="both", merge=str(path))
    assert not isinstance(method, StreamingMethod) and isinstance(method, WindowedMethod)
    assert isinstance(VINetMethod(), StreamingMethod) and not isinstance(VINetMethod(), WindowedMethod)
    described = method.describe()
    assert described["knows"] == "whole clip" and len(described["content_sha256"]) == 64
    assert described["flop_per_frame"] == 2 * VINetMethod().describe()["flop_per_frame"]
    filled = method(clip)
    assert filled.shape == clip.frames.shape and filled.dtype == np.uint8
    np.testing.assert_array_equal(filled, np.stack(list(method.stream_windows(clip.frames, clip.masks))))


def test_a_clip_without_holes_and_one_of_a_single_frame_come_back(clip: Holed, tmp_path: Path) -> None:
    path = tmp_path / "merge.safetensors"
    weights.save(drawn(), path)
    method = VINetMethod(directions="both", merge=str(path))
    whole = np.stack([truth(clip)] * 2)
    np.testing.assert_array_equal(method(Holed("whole", whole, np.zeros(whole.shape[:3], bool))), whole)
    assert method(Holed("one", clip.frames[:1], clip.masks[:1])).shape == clip.frames[:1].shape


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"directions": "sideways"}, "forward or both"),
        ({"directions": "both", "warm_up": 3}, "warm_up=3"),
        ({"directions": "both", "merge": "nowhere.safetensors"}, "no weights file"),
    ],
)
def test_options_that_cannot_be_are_one_sentence(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        VINetMethod(**options)  # type: ignore[arg-type]


def test_a_method_says_what_it_knows() -> None:
    assert VINetMethod().describe()["knows"] == "6 frames ahead, first 30"
    assert VINetMethod(warm_up=0).describe()["knows"] == "6 frames ahead"
    assert VINetMethod(ablation="full").describe()["options"]["warm_up"] == 0
    assert VINetMethod(recurrence=False, memory=False).describe()["options"]["warm_up"] == 0
