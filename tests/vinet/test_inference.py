"""Any size, any length, streaming: a whole video through the network."""

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vinet import weights
from vinet.config import VINetConfig
from vinet.errors import VINetError
from vinet.inference import Frame, Inpainter, Mask, Settings, lasting, reflect
from vinet.network.memory import State
from vinet.network.vinet import Step, VINet


def network(**switches: Any) -> VINet:
    return weights.random_network(VINetConfig.compact(0.125, **switches))


def video(frames: int, height: int = 24, width: int = 40) -> tuple[list[Frame], list[Mask]]:
    generator = np.random.default_rng(5)
    masks = [generator.random((height, width)) < 0.2 for _ in range(frames)]
    images = [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(frames)]
    for image, mask in zip(images, masks, strict=True):
        image[mask] = 0
    return images, masks


def filled(inpainter: Inpainter, images: list[Frame], masks: list[Mask]) -> NDArray[np.uint8]:
    return np.stack(list(inpainter.stream(images, masks)))


def mirrored(index: int, length: int) -> int:
    """Walk from 0 to `index`, turning round at both ends."""
    position, direction = 0, 1 if index >= 0 else -1
    for _ in range(abs(index)):
        if not 0 <= position + direction < length:
            direction = -direction
        position += direction if length > 1 else 0
    return position


@pytest.mark.parametrize("length", [1, 2, 3, 5, 13])
def test_indices_reflect_at_both_ends(length: int) -> None:
    assert [reflect(i, length) for i in range(-9, 30)] == [mirrored(i, length) for i in range(-9, 30)]


@torch.inference_mode()
def by_hand(network: VINet, images: list[Frame], masks: list[Mask], recurrent: bool) -> Iterator[NDArray[np.float32]]:
    """Every frame with everything encoded anew: no window, no cache."""
    flip = network.config.channel_order == "bgr"
    holes = torch.from_numpy(np.stack(masks))[:, None].float()
    clip = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 127.5 - 1
    clip = (clip.flip(1) if flip else clip) * (1 - holes)
    previous, memory = None, None
    for t in range(len(clip)):
        around = [mirrored(t + offset, len(clip)) for offset in network.config.neighbour_offsets]
        step = network.step(clip[[t]], holes[[t]], clip[around][None], holes[around][None], previous, memory)
        if recurrent:
            previous, memory = network.feed_back(clip[[t]], holes[[t]], step.output), step.memory
        output: Tensor = step.output[0].flip(0) if flip else step.output[0]
        yield ((output.permute(1, 2, 0) + 1) * 127.5).numpy()


@pytest.mark.parametrize(
    ("frames", "recurrent"), [(1, True), (2, True), (2, False), (8, False), (15, False)]
)  # recurrence through random weights multiplies rounding: a few frames of it are enough
@pytest.mark.parametrize("switches", [{"channel_order": "bgr"}, {"shared_encoder": False}, {"flow_encoder": True}])
def test_the_stream_is_the_step_repeated(frames: int, recurrent: bool, switches: dict[str, Any]) -> None:
    model = network(**switches)
    images, masks = video(frames, 16, 24)
    expected = np.stack(list(by_hand(model, images, masks, recurrent)))
    inpainter = Inpainter(model, settings=Settings(recurrence=recurrent, memory=recurrent))
    np.testing.assert_allclose(filled(inpainter, images, masks), expected.clip(0, 255), rtol=0, atol=0.6)


@pytest.mark.parametrize(
    "switches",
    [
        {"given_flow": True},
        {"flow_warping": False},
        {"recurrence": False},
        {"memory": False},
        {"neighbours": 1},
        {"neighbours": 0, "pixel_composition": False, "given_flow": True},
        {"double": True},
    ],
)
def test_every_architecture_fills_a_clip(switches: dict[str, Any]) -> None:
    output = filled(Inpainter(network(**switches)), *video(4))
    assert output.shape == (4, 24, 40, 3)
    assert output.std() > 0


@pytest.mark.parametrize("size", [(1, 1), (5, 67), (101, 67), (16, 16), (33, 31)])
@pytest.mark.parametrize("switches", [{}, {"double": True}, {"given_flow": True}])
def test_any_size_comes_back_as_it_went_in(size: tuple[int, int], switches: dict[str, Any]) -> None:
    assert filled(Inpainter(network(**switches)), *video(2, *size)).shape == (2, *size, 3)


def test_padding_repeats_the_border() -> None:
    images, masks = video(3, 24, 36)
    padded = [np.pad(image, ((0, 0), (0, 4), (0, 0)), mode="edge") for image in images]
    padded_masks = [np.pad(mask, ((0, 0), (0, 4)), mode="edge") for mask in masks]
    inpainter = Inpainter(network())
    assert np.array_equal(filled(inpainter, images, masks), filled(inpainter, padded, padded_masks)[:, :, :36])


def test_each_frame_comes_out_once_the_frames_it_needs_are_in() -> None:
    images, masks = video(20)
    read: list[int] = []

    def counted() -> Iterator[Frame]:
        for index, image in enumerate(images):
            read.append(index)
            yield image

    stream = Inpainter(network()).stream(counted(), masks)
    for t in range(20):
        next(stream)
        assert max(read) == min(t + 6, 19)


def test_filling_leaves_the_input_alone_and_is_repeatable() -> None:
    images, masks = video(3)
    before = [image.copy() for image in images]
    inpainter = Inpainter(network())
    first, second = filled(inpainter, images, masks), filled(inpainter, images, masks)
    assert np.array_equal(first, second)
    assert all(np.array_equal(image, copy) for image, copy in zip(images, before, strict=True))


def test_without_recurrence_a_still_video_is_filled_alike_in_every_frame() -> None:
    images, masks = video(1)
    settings = Settings(recurrence=False, memory=False)
    still = filled(Inpainter(network(), settings=settings), images * 4, masks * 4)
    assert all(np.array_equal(frame, still[0]) for frame in still)
    assert not np.array_equal(*filled(Inpainter(network()), images * 2, masks * 2))


def test_memory_off_is_a_reset_at_every_frame() -> None:
    model = network(recurrence=False)
    images, masks = video(1)
    carried = filled(Inpainter(model), images * 3, masks * 3)
    reset = filled(Inpainter(model, settings=Settings(memory=False)), images * 3, masks * 3)
    assert np.array_equal(carried[0], reset[0]) and np.array_equal(reset[0], reset[2])
    assert not np.array_equal(carried[2], reset[2])


def test_warm_up_is_the_start_of_the_video_in_reverse_run_before_it() -> None:
    images, masks = video(5)
    model = network()
    warm = filled(Inpainter(model, settings=Settings(warm_up=3)), images, masks)
    longer = filled(Inpainter(model), [*images[2::-1], *images], [*masks[2::-1], *masks])
    assert np.array_equal(warm, longer[3:])


def test_warm_up_longer_than_the_video_is_all_of_it() -> None:
    assert filled(Inpainter(network(), settings=Settings(warm_up=30)), *video(2)).shape[0] == 2


@pytest.mark.parametrize(
    "settings",
    [Settings(precision="float16"), Settings(cuda_graphs=True), Settings(warm_up=-1), Settings(precision="int8")],  # type: ignore[arg-type]
)
def test_options_that_this_device_cannot_honour_are_refused(settings: Settings) -> None:
    with pytest.raises(VINetError):
        Inpainter(network(), "cpu", settings)


def test_frames_of_two_sizes_are_a_broken_contract() -> None:
    (small,), (hole,) = video(1)
    (large,), (large_hole,) = video(1, 32, 40)
    with pytest.raises(ValueError, match="one size"):
        list(Inpainter(network()).stream([small, large], [hole, large_hole]))


def test_a_video_and_masks_of_different_length_are_a_broken_contract() -> None:
    images, masks = video(3)
    with pytest.raises(ValueError, match="shorter|longer"):
        list(Inpainter(network()).stream(images, masks[:2]))


PEAK_OF_A_STREAM = """
import sys
import numpy as np
from vinet.method import VINetMethod

frames, height, width = int(sys.argv[1]), 64, 96
method = VINetMethod()  # the weights that come with the package
generator = np.random.default_rng(0)
images = (generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(frames))
masks = (generator.random((height, width)) < 0.2 for _ in range(frames))
assert sum(1 for _ in method.stream(images, masks)) == frames
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's high-water mark")
def test_a_thousand_frames_take_as_much_memory_as_a_hundred() -> None:
    def peak_kilobytes(frames: int) -> int:
        words = [sys.executable, "-c", PEAK_OF_A_STREAM, str(frames)]
        return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    hundred, thousand = peak_kilobytes(100), peak_kilobytes(1000)
    # The interpreter and torch are most of it: 900 kept frames would add 17 MB of pixels and 400 MB of features.
    assert thousand < 1.05 * hundred, f"{thousand} kB at 1,000 frames, {hundred} kB at 100"
    print(f"peak {hundred} kB at 100 frames, {thousand} kB at 1,000")


def test_what_the_next_frame_needs_outlasts_a_part_that_writes_every_result_over_the_last() -> None:
    """As a CUDA graph does; this one does it on a CPU."""
    model = network(given_flow=True)
    images, masks = video(6)
    expected = filled(Inpainter(model), images, masks)
    kept: list[Tensor] = []

    def replayed(*arguments: Any) -> Step:
        for place in kept:
            place.fill_(torch.nan)
        step = model.fill(*arguments)
        assert step.memory is not None
        fresh = [step.output, *step.memory]
        if not kept:
            kept.extend(torch.empty_like(part) for part in fresh)
        for place, part in zip(kept, fresh, strict=True):
            place.copy_(part)
        return dataclasses.replace(step, output=kept[0], memory=State(*kept[1:]))

    inpainter = Inpainter(model)
    inpainter._fill = replayed
    assert not np.array_equal(filled(inpainter, images, masks), expected)
    inpainter._fill = lasting(replayed)
    assert np.array_equal(filled(inpainter, images, masks), expected)
