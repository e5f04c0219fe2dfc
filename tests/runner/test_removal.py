"""The protocol removal@1, from a DAVIS folder to a filled table: without backbones, and with tiny ones."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from davis_layout import write_davis
from golden_removal import tiny, write_weights
from listening import Silent

from vibench.data.dataset import card_of
from vibench.metrics.networks import clip, dinov2, sam
from vibench.plugins import Spec
from vibench.protocol import Protocol, load_protocol
from vibench.results.store import Store
from vibench.runner.forecast import duration
from vibench.runner.order import Order
from vibench.runner.run import carry_out

CLIPS = {"ant": 3, "bee": 3}
BACKBONES = {
    "rc-s": "dinov2", "rc-t": "dinov2", "remove-sam": "sam_encoder", "remove-sam-crop": "sam_encoder",
    "tc-clip-b32": "clip_vision", "tc-clip-l14": "clip_vision", "tc-clip-h14": "clip_vision",
}  # fmt: skip
METHODS = ("telea", "identity")


@pytest.fixture
def davis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    card = card_of("davis-2016").model_copy(update={"splits": {"validation": CLIPS}, "sizes_px": {}})
    monkeypatch.setattr("vibench.data.dataset.cards", lambda: [card])
    for published in (dinov2.GIANT, sam.HUGE, clip.B32, clip.L14, clip.H14):
        monkeypatch.delenv(published.variable, raising=False)
    monkeypatch.setattr("vibench.metrics.networks.pretrained._in_hub_cache", lambda _: None)
    return write_davis(tmp_path / "davis", CLIPS, height=96, width=160)


@pytest.fixture
def protocol() -> Protocol:
    """removal@1 on frames as they come, which are small here."""
    return load_protocol("removal@1").model_copy(update={"resize": None})


def carried_out(
    protocol: Protocol, metrics: tuple[str, ...], data: Path, heard: Silent, names: tuple[str, ...] = METHODS
) -> Store:
    methods = tuple(Spec(name) for name in names)
    return carry_out(Order(protocol, methods, metrics, data.parent / "runs", data, in_process=True), heard)


def test_without_backbones_the_rest_is_measured_and_each_record_says_what_the_others_need(
    davis: Path, protocol: Protocol
) -> None:
    store = carried_out(protocol, protocol.scoring.metrics, davis, Silent())
    records = store.records()
    assert len(records) == len(METHODS) * len(CLIPS)
    for record in records:
        assert set(record.unavailable) == set(BACKBONES)
        assert all("hf download" in reason for reason in record.unavailable.values())
        assert set(record.metrics["psnr"]) == {"kept", "kept-8px"}
        assert {"seam", "flicker-dis", "ssim-gaussian", "lpips-alex"} <= set(record.metrics)
    # The object stays in, so nothing around it is damaged.
    identity = [record for record in records if record.method == "identity"]
    assert all(set(record.metrics["psnr"]["kept"]) == {100.0} for record in identity)


def test_with_tiny_backbones_named_by_file_all_columns_are_filled(davis: Path, protocol: Protocol) -> None:
    pytest.importorskip("transformers")
    named = tuple(
        f'{name}[weights="{tiny(BACKBONES[name])}"]' if name in BACKBONES else name for name in protocol.scoring.metrics
    )
    store = carried_out(protocol, named, davis, Silent(), ("telea", "flow_propagation", "vinet", "identity"))
    assert len(store.records()) == 4 * len(CLIPS)
    for record in store.records():
        assert not record.unavailable and set(record.metrics) == set(protocol.scoring.metrics)
        for name, regions in record.metrics.items():
            for region, values in regions.items():
                # RC leaves frames out whose hole has no known tokens beside it.
                assert any(value is not None for value in values), (name, region)


def test_a_run_says_how_long_slow_metrics_will_take_before_it_starts(
    davis: Path, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    from vibench.metrics.removal.rc import RC

    monkeypatch.setattr(RC, "seconds_per_frame", lambda self: 41.0)
    heard = Silent()
    carried_out(protocol, (f'rc-s[weights="{tiny("dinov2")}"]', "seam"), davis, heard)
    (sentence,) = [said for said in heard.said if "rc-s" in said]
    # Two methods, and a truth that these clips could have, on two clips of three frames.
    assert sentence == (
        "rc-s takes about 41 s a frame here: 18 frames of 6 records are 12 min 18 s at most, less what the cache knows"
    )


def test_a_pass_is_timed_on_a_cpu_once(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from vibench.metrics.removal import rc

    metric = rc.temporal(str(write_weights("dinov2", tmp_path)))
    first = metric.seconds_per_frame()
    assert first is not None and first > 0 and metric.seconds_per_frame() == first


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.42 s"), (9.6, "9.6 s"), (41.3, "41 s"), (492, "8 min 12 s"), (7500, "2 h 05 min"), (59.7, "1 min 00 s")],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


LIBRARIES = ("transformers", "huggingface_hub", "timm", "open_clip", "segment_anything", "pycvvdp")


def test_a_run_that_needs_no_backbone_imports_no_library_of_backbones(tmp_path: Path) -> None:
    probe = (
        "import sys; from vibench.cli.app import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as ended: assert ended.code == 0, ended.code\n"
        f"print('IMPORTED', sorted(set({LIBRARIES!r}) & set(sys.modules)))"
    )
    command = ["run", "--methods", "telea", "--metrics", "psnr", "--limit", "1", "--output", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", probe, *command], capture_output=True, text=True, check=True)
    assert re.findall(r"IMPORTED (.*)", done.stdout) == ["[]"]


def test_listing_the_metrics_imports_no_library_of_backbones_either() -> None:
    probe = (
        "import sys, vibench; listed = vibench.list_metrics()\n"
        "assert {'rc-s', 'kvd', 'mawe'} <= {one.name for one in listed}\n"
        f"print(sorted(set({LIBRARIES!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_methods_of_the_package_see_the_object_and_fill_as_if_they_did_not() -> None:
    """removal@1 shows the object; what fills holes must not use its pixels."""
    from vibench import plugins
    from vibench.clip import Holed

    frames = np.random.default_rng(0).integers(0, 256, (4, 64, 80, 3)).astype(np.uint8)
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, 20:40, 30:50] = True
    cut = np.where(masks[..., None], 0, frames).astype(np.uint8)
    for name in ("telea", "navier_stokes", "biharmonic", "temporal_median", "last_seen", "flow_propagation", "vinet"):
        one, other = (
            plugins.make("methods", Spec(name), device="cpu")(Holed("x", shown.copy(), masks.copy()))
            for shown in (frames, cut)
        )
        assert (np.asarray(one) == np.asarray(other)).all(), name
