"""MAWE: StreamingT2V's digits, pixel for pixel, with the flow of the rule in RAFT's place."""

from __future__ import annotations

import numpy as np
import pytest
from golden_removal import EXPECTED, clip, largest, rules

from vibench.clip import Case, Flows, Frame
from vibench.errors import InputError
from vibench.metric import MetricInfo
from vibench.metrics.flow.motion import Flow
from vibench.metrics.flow.sources import FlowSource
from vibench.metrics.removal.mawe import MAWE, SIDE_PX, carried, mawe, squared_up, warp_error

GOLDEN = EXPECTED["mawe"]


def flows(count: int = 3) -> Flows:
    return np.stack([np.moveaxis(rules().flow(pair, SIDE_PX, SIDE_PX, 1.0), 0, -1) for pair in range(count)])


@pytest.mark.parametrize("name", ["truth", "output"])
def test_each_pair_reaches_the_original_s_digits(name: str) -> None:
    frames = squared_up(clip(name)[:4])
    for index, expected in enumerate(GOLDEN[name]["per_pair_float64"]):
        assert int(carried(frames[index], flows()[index])[1].sum()) == expected["known_pixels"]
        found = warp_error(frames[index], frames[index + 1], flows()[index])
        assert found == pytest.approx(expected["warp_error"], abs=1e-9)
    values = mawe(frames, flows())
    assert np.mean([v for v in values if v is not None]) == pytest.approx(GOLDEN[name]["mawe_float64"], abs=1e-10)


def test_resized_frames_are_the_original_s() -> None:
    frame, expected = squared_up(clip("output")[:1])[0], GOLDEN["resized_check"]
    assert frame[100, :5, 0].tolist() == expected["output0_720_red_row100_first5"]
    assert frame.mean() == pytest.approx(expected["output0_720_mean"], abs=1e-9)


def test_pixels_land_where_the_original_s_do() -> None:
    flow = np.full((12, 16, 2), (1.25, -2.0), np.float32)
    flow[5, 5] = (4.25, -2.0)
    there, known = carried(clip("output")[0, :12, :16], flow)
    assert there[..., 0].tolist() == GOLDEN["tiny_warp"]["warped_red"]
    assert (~known).astype(int).tolist() == GOLDEN["tiny_warp"]["unknown"]


def test_a_photograph_moved_by_whole_pixels_has_no_error_and_a_slower_clip_is_worse() -> None:
    photo = clip("truth")[0]
    frames = np.stack([photo[:, 4 - t : 132 - t] for t in (0, 2)])
    flow = np.full((1, *frames.shape[1:3], 2), (2.0, 0.0), np.float32)
    assert mawe(frames, flow) == [0.0]
    damaged = frames.copy()
    damaged[1] = np.clip(damaged[1].astype(int) + 5, 0, 255)
    (error,), (half,) = mawe(damaged, flow), mawe(damaged, 0 * flow + (1.0, 0.0))
    assert error is not None and half is not None and half > error > 0


def test_nothing_that_moves_has_no_value() -> None:
    frames = np.repeat(clip("output")[:1], 2, axis=0)
    assert mawe(frames, np.zeros((1, *frames.shape[1:3], 2), np.float32)) == [None]


def test_the_metric_asks_its_flow_for_720_px_and_refuses_one_frame() -> None:
    asked: list[tuple[int, ...]] = []

    def estimate(first: Frame, second: Frame) -> Flow:
        asked.append(first.shape)
        return flows(1)[0]

    metric = MAWE(MetricInfo("mawe", "MAWE", "", "lower"), FlowSource("the rule", estimate, keep=False))
    frames = clip("output")[:2]
    measured = metric.measure(frames, Case("golden", frames, clip("masks")[:2], None))
    assert asked == [(SIDE_PX, SIDE_PX, 3)]
    assert largest(measured["frame"].values, mawe(squared_up(frames), flows(1))) == 0
    with pytest.raises(InputError, match="at least two"):
        metric.measure(frames[:1], Case("golden", frames[:1], clip("masks")[:1], None))
