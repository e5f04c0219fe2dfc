"""Scenes with side effects: background, silhouette, effect and motion are exactly what they are called."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from listening import Silent
from warping import warped

from vibench.clip import Clip, ExactFlow, digest
from vibench.data.cases import build_case, planned_cases, resized
from vibench.data.figures import Figure, FigureName
from vibench.data.layouts import open_dataset
from vibench.data.manifest import entries, published
from vibench.data.side_effects import GLASS, LIGHT_GAIN, REFLECTED, REFLECTION_REACH, SHADOW_LEFT, Effect
from vibench.data.stage import FEET, PAN, ZOOM, render_staged, staged_scenes
from vibench.errors import InputError
from vibench.media.resize import dilate
from vibench.metrics.measure import measure
from vibench.metrics.psnr import PSNR
from vibench.plugins import Spec
from vibench.protocol import Protocol, Resize, load_protocol
from vibench.report.numbers import footnotes
from vibench.report.page.slices import slices_of
from vibench.results.results import Results
from vibench.results.table import tabulate
from vibench.runner.order import Order
from vibench.runner.run import carry_out

SMALL = staged_scenes(96, 144, 5)
SIDE, WIDTH, T = 96, 144, 5
EFFECTS = get_args(Effect)


def clip(name: str, **changes: Any) -> Clip:
    return render_staged(replace(SMALL[name], **changes))


def parts(made: Clip) -> tuple[Any, Any, Any, ExactFlow, ExactFlow]:
    assert made.background is not None and made.objects is not None and made.effects is not None
    assert made.flow is not None and made.background_flow is not None
    return made.background, made.objects, made.effects, made.flow, made.background_flow


@pytest.mark.parametrize("name", SMALL)
def test_a_frame_is_the_background_outside_object_and_effect_to_the_last_bit(name: str) -> None:
    made = clip(name)
    background, objects, effects, *_ = parts(made)
    kept = ~objects & ~effects
    assert np.array_equal(made.frames[kept], background[kept]) and kept.mean() > 0.2
    assert not (objects & effects).any()


@pytest.mark.parametrize("name", SMALL)
def test_the_effect_is_where_the_scene_with_and_without_the_object_differ(name: str) -> None:
    made, without = clip(name), clip(name, present=False)
    background, objects, effects, *_ = parts(made)
    assert np.array_equal(without.frames, background)
    difference = np.abs(made.frames.astype(int) - without.frames).max(axis=-1)
    assert np.array_equal(effects, (difference > 0) & ~objects)
    assert effects.any(axis=(1, 2)).all() and difference[effects].max() > 10
    assert (difference[objects] > 0).mean() > 0.9


def test_a_shadow_takes_its_share_of_the_light_and_glass_tints_it() -> None:
    for name, share in (("shadow-still", np.full(3, SHADOW_LEFT)), ("glass-still", GLASS)):
        made = clip(name)
        background, _, effects, *_ = parts(made)
        lit, dimmed = background[effects].astype(float), made.frames[effects].astype(float)
        assert (dimmed <= lit + 1).all() and (dimmed >= share * lit - 1).all()
        core = np.abs(dimmed - share * lit).max(axis=-1) < 1.01
        assert 0.3 < core.mean() < 1


def test_a_reflection_is_the_object_upside_down_and_fades() -> None:
    """At 200 px the feet are at 153.5, so that row 153 - k stands upside down in row 154 + k."""
    scene = replace(SMALL["reflection-still"], height=200, width=300, frames=1)
    made = render_staged(scene)
    background, _, effects, *_ = parts(made)
    distance = (200 - 1) / 2 + FEET * 200
    assert distance == 153.5
    rows = np.arange(40)
    upright, mirrored = made.frames[0, 153 - rows].astype(float), made.frames[0, 154 + rows].astype(float)
    behind = background[0, 154 + rows].astype(float)
    share = REFLECTED * (1 - (rows + 0.5) / 200 / REFLECTION_REACH)[:, None, None]
    expected = share * upright + (1 - share) * behind
    # Where row 153 - k is all object and row 154 + k all reflection.
    inside = _eroded(made.objects[0])[153 - rows] & effects[0, 154 + rows]  # type: ignore[index]
    assert inside.sum() > 100
    assert np.abs(mirrored - expected)[inside].max() < 1.5


def _eroded(mask: Any) -> Any:
    return ~dilate(~mask[None], 2)[0]


def test_light_only_brightens_and_nothing_is_left_of_it_far_away() -> None:
    made = clip("light-still")
    background, objects, effects, *_ = parts(made)
    lit = (made.frames[~objects] + 1.0) / (background[~objects] + 1.0)
    assert lit.min() >= 1 and lit.max() <= 1 + LIGHT_GAIN.max() + 0.01
    assert effects.mean() < 0.6


def test_a_mirror_shows_the_object_only_within_its_frame() -> None:
    made = clip("mirror-still")
    _, _, effects, *_ = parts(made)
    rows, columns = np.nonzero(effects.any(axis=0))
    assert abs(columns - (WIDTH - 1) / 2).max() <= 0.5 * SIDE + 1
    assert rows.min() >= (SIDE - 1) / 2 - 0.4 * SIDE - 1 and rows.max() <= (SIDE - 1) / 2 + 0.12 * SIDE + 1


def test_a_still_camera_does_not_move_the_background_and_a_pan_moves_all_of_it_alike() -> None:
    *_, still = parts(clip("shadow-still"))
    assert np.abs(still.forward).max() < 1e-9
    *_, pan = parts(clip("shadow-pan"))
    assert np.ptp(pan.forward, axis=(1, 2)).max() < 1e-4
    assert abs(pan.forward[0, 0, 0, 0]) == pytest.approx(PAN * SIDE, rel=1e-4) and pan.forward[0, 0, 0, 1] == 0


def test_a_zoom_moves_pixels_away_from_the_middle_or_towards_it() -> None:
    *_, zoom = parts(clip("shadow-zoom"))
    y, x = np.mgrid[0:SIDE, 0:WIDTH]
    factor = (1 + ZOOM) ** (1 if zoom.forward[0, 0, 0, 0] < 0 else -1)
    expected = np.stack([x - (WIDTH - 1) / 2, y - (SIDE - 1) / 2], axis=-1) * (factor - 1)
    assert np.allclose(zoom.forward[0], expected, atol=1e-4)


def test_the_object_moves_along_the_floor_by_its_own_flow() -> None:
    """Where the object's middle goes is what its flow says, and nowhere else does the flow differ."""
    made = clip("glass-still")
    _, objects, _, flow, behind = parts(made)
    step = flow.forward[0][_eroded(objects[0])]
    assert np.ptp(step, axis=0).max() < 1e-4 and abs(step[0, 1]) < 1e-9 and abs(step[0, 0]) > 0.1
    columns = [np.nonzero(mask)[1].mean() for mask in objects[:2]]
    assert columns[1] - columns[0] == pytest.approx(step[0, 0], abs=0.15)
    assert np.array_equal(flow.forward[0][~objects[0]], behind.forward[0][~objects[0]])


def test_a_surface_shows_the_same_a_frame_later_where_nothing_changes_it() -> None:
    for name in ("shadow-pan", "reflection-handheld", "mirror-zoom"):
        made = clip(name)
        background, *_, flow = parts(made)
        assert flow.visible is not None
        error = warped(background[1], flow.forward[0]) - background[0]
        shifted = warped(background[1], flow.forward[0] + np.float32(0.5)) - background[0]
        seen = flow.visible[0]
        assert np.sqrt(np.mean(error[seen] ** 2)) < 0.7 * np.sqrt(np.mean(shifted[seen] ** 2))


def test_the_same_scene_is_the_same_clip_and_a_shorter_one_is_its_beginning() -> None:
    first = clip("mirror-handheld")
    render_staged.cache_clear()
    assert digest(clip("mirror-handheld").frames) == digest(first.frames)
    assert digest(clip("mirror-handheld", seed=1).frames) != digest(first.frames)
    short = clip("mirror-handheld", frames=2)
    assert np.array_equal(first.frames[:2], short.frames) and np.array_equal(first.effects[:2], short.effects)  # type: ignore[index, arg-type]


def test_memory_is_that_of_the_clip_and_of_some_frames() -> None:
    scene = replace(SMALL["light-zoom"], height=120, width=216, frames=40)
    render_staged(replace(scene, frames=1))  # photos are read once
    tracemalloc.start()
    made = render_staged(scene)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    background, objects, effects, flow, behind = parts(made)
    arrays = [made.frames, background, objects, effects]
    arrays += [
        array for one in (flow, behind) for array in (one.forward, one.backward, one.visible) if array is not None
    ]
    assert peak < sum(array.nbytes for array in arrays) + 60 * background[0].size


def test_the_scenes_are_twenty_and_every_slice_has_several_of_each_other() -> None:
    made = list(staged_scenes(240, 432, 60).values())
    assert len(made) == 20 and {scene.frames for scene in made} == {60}
    assert len({scene.seed for scene in made}) == 20
    for fields in (("effect", "camera"), ("effect", "pace"), ("camera", "pace")):
        counts: dict[Any, int] = {}
        for scene in made:
            key = tuple(getattr(scene, field) for field in fields)
            counts[key] = counts.get(key, 0) + 1
        assert len(counts) == len({a for a, _ in counts}) * len({b for _, b in counts})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"height": 8}, "at least 16x16 px and 1 to 60 frames, not 144x8 and 5"),
        ({"frames": 61}, "1 to 60 frames, not 144x96 and 61"),
        ({"effect": "smoke"}, "effect 'smoke' must be one of shadow, reflection"),
        ({"camera": "crane"}, "camera 'crane' must be one of still, pan"),
        ({"pace": "calm"}, "pace 'calm' must be one of slow, fast"),
    ],
)
def test_an_impossible_scene_is_one_sentence(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        replace(SMALL["shadow-pan"], **changes)


@pytest.mark.parametrize("name", get_args(FigureName))
def test_a_figure_stands_on_the_origin_and_its_distances_are_pixels(name: FigureName) -> None:
    y, x = np.mgrid[-130:20, -100:100].astype(np.float64)
    distance = Figure(name, 100).distance(np.stack([x, y]))
    rows = np.nonzero(distance < 0)[0]
    assert abs(rows.max() - 130) <= 1 and abs(rows.max() - rows.min() - 100) <= 4
    near = np.abs(distance) < 3
    # A distance grows by a pixel for each pixel, but at corners, where it grows by less.
    slope = np.hypot(*np.gradient(distance))[near]
    assert np.median(slope) == pytest.approx(1, abs=0.05) and np.quantile(slope, 0.98) < 1.1


def test_there_is_no_other_figure() -> None:
    with pytest.raises(InputError, match="no figure 'cat'; there are person, lantern, bottle, horse"):
        Figure("cat", 10)  # type: ignore[arg-type]


def small_protocol(**changes: Any) -> Protocol:
    known = load_protocol("synthetic@2")
    data = known.data.model_copy(update={"split": "small"})
    return known.model_copy(update={"data": data, **changes})


def case(protocol: Protocol, name: str = "shadow-pan") -> Any:
    clips = open_dataset("synthetic-effects", split="small")
    return build_case(protocol, planned_cases(protocol, clips.clip_names(), cases=[name])[0], clips)


@pytest.mark.parametrize("effect", EFFECTS)
def test_hole_effect_and_kept_are_all_pixels_once_and_only_kept_is_already_right(effect: str) -> None:
    made = case(small_protocol(), f"{effect}-pan")
    regions = np.stack([made.holes, made.effect, made.kept["kept"]])
    assert (regions.sum(axis=0) == 1).all()
    kept = made.kept["kept"]
    assert np.array_equal(made.frames[kept], made.truth[kept])
    assert (made.frames != made.truth).any(axis=-1)[made.effect].all()
    assert made.attributes["effect"] == effect and made.attributes["camera"] == "pan"
    assert made.sees_everything and np.array_equal(made.holed().frames, made.frames)


@pytest.mark.parametrize("name", ["psnr", "ssim-gaussian", "lpips-alex", "warping-error-exact"])
def test_metrics_see_what_is_left_of_the_effect_apart_from_the_hole(name: str) -> None:
    """The true background in the hole and the shadow left in: perfect in hole and kept, and not in effect."""
    from vibench import plugins

    made = case(small_protocol(), "shadow-pan")
    left = np.where(made.effect[..., None], made.frames, made.truth)
    metric: Any = plugins.make("metrics", plugins.Spec.parse(name), device="cpu")
    found = {region: series.mean for region, series in metric.measure(left, made).items()}
    best = {region: series.mean for region, series in metric.measure(made.truth, made).items()}
    assert found["effect"] != pytest.approx(best["effect"], rel=0.01)
    assert set(found) - {"kept"} == {"frame", "hole", "effect"}
    if name == "psnr":
        squared = [
            np.mean((a[m].astype(float) - b[m]) ** 2) for a, b, m in zip(left, made.truth, made.effect, strict=True)
        ]
        assert found["effect"] == pytest.approx(np.mean(10 * np.log10(255**2 / np.array(squared))))
        assert found["hole"] == found["kept"] == 100


def test_where_pixels_are_put_back_or_the_object_stays_there_is_no_effect() -> None:
    scoring = load_protocol("synthetic@1").scoring
    made = case(small_protocol(scoring=scoring))
    assert made.effect is None and not made.kept
    assert "effect" not in PSNR().measure(made.truth, made)
    holes = load_protocol("davis-object@1").holes[0].model_copy(update={"source": "other-objects", "paste": True})
    pasted = case(small_protocol(holes=(holes,)))
    assert pasted.effect is None and (pasted.kept["kept"] == ~pasted.holes).all()


def test_a_resized_effect_is_again_what_differs() -> None:
    made = resized(clip("shadow-still"), Resize(width_px=72, height_px=48, filter="area"))
    assert made.effects is not None and made.background is not None and made.objects is not None
    differs = (made.frames != made.background).any(axis=-1)
    assert np.array_equal(made.effects, differs & ~made.objects) and made.effects.any()


def test_other_data_have_no_effect() -> None:
    assert open_dataset("synthetic", split="small").load("still-slow").effects is None


def test_one_scene_of_the_protocol_has_the_holes_of_its_manifest() -> None:
    protocol = load_protocol("synthetic@2")
    known = published("synthetic@2")
    assert known is not None and len(known.cases) == 20
    chosen = protocol.model_copy(update={"data": protocol.data.model_copy(update={"clips": ("reflection-pan",)})})
    (entry,) = entries(chosen, open_dataset("synthetic-effects"))
    assert entry == known.entry(entry.case)


def test_measure_gives_regions_to_arrays_as_before() -> None:
    made = clip("shadow-still")
    background, objects, *_ = parts(made)
    assert set(measure("psnr", made.frames, background, objects, kept_margin_px=0).regions) == {"frame", "hole", "kept"}


def test_a_run_has_the_regions_in_its_table_and_says_what_they_are(tmp_path: Path) -> None:
    protocol = small_protocol(scoring=load_protocol("synthetic@2").scoring.model_copy(update={"metrics": ("psnr",)}))
    cases = ("shadow-still", "shadow-pan", "glass-still", "glass-pan")
    order = Order(protocol, (Spec("identity"),), ("psnr",), tmp_path, cases=cases, in_process=True)
    store = carry_out(order, Silent())
    table = tabulate(Results.of(store.info, store.records()))
    (row,) = [row for row in table.rows if not row.is_floor]
    means = {key: cell.estimate.mean for key, cell in row.cells.items() if cell.estimate}
    assert means["psnr/kept"] == 100 and means["psnr/effect"] < 40 and means["psnr/hole"] < 30
    assert any(
        "the region effect is what the object changes, and kept is the rest" in note for note in footnotes(table)
    )
    assert {"effect", "camera", "pace"} <= {one["attribute"] for one in slices_of(table)}
