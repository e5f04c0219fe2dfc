"""Cases: pasted objects, masks other than the hole, chosen instances and sparse silhouettes, as the protocol says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from davis_layout import write_davis
from listening import Silent
from PIL import Image

from vibench.clip import Clip, Holed
from vibench.data.cases import build_case
from vibench.data.contents import contents_of
from vibench.data.dataset import Dataset, card_of
from vibench.data.layouts import OPENERS, open_dataset
from vibench.data.manifest import Manifest, as_text, entries, published, read_manifest
from vibench.errors import InputError
from vibench.masks import loose
from vibench.media.resize import dilate
from vibench.plugins import Spec
from vibench.protocol import Protocol, load_protocol
from vibench.report.page.slices import slices_of
from vibench.results.results import Results
from vibench.results.table import tabulate
from vibench.runner.order import Order
from vibench.runner.run import carry_out

CLIPS = {"ant": 3, "bee": 5, "cow": 4}
PASTED = {"name": "pasted", "source": "other-objects", "paste": True, "dilation_iterations": 1}


class AsShown:
    """Gives back what it was shown."""

    def __call__(self, holed: Holed) -> Any:
        return holed.frames


def removal(*holes: dict[str, Any], **changes: Any) -> Protocol:
    return Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3, "task": "remove",
            "data": {"dataset": "davis-2016"}, "holes": holes, "scoring": {"metrics": ["psnr"]}, **changes,
        }
    )  # fmt: skip


@pytest.fixture
def davis(tmp_path: Path) -> Dataset:
    """Three clips, each of a brightness of its own, so that an object of one stands out in the others."""
    card = card_of("davis-2016").model_copy(update={"splits": {"validation": CLIPS}, "sizes_px": {}})
    root = write_davis(tmp_path / "davis", CLIPS)
    for place, clip in enumerate(CLIPS):
        for file in (root / "JPEGImages" / "480p" / clip).iterdir():
            Image.fromarray(np.asarray(Image.open(file)) // 4 + np.uint8(60 * place)).save(file)
    return OPENERS["davis"](card, root, None)


def test_a_pasted_object_is_the_input_and_the_clip_as_it_was_is_the_truth(davis: Dataset) -> None:
    case = build_case(protocol := removal(PASTED), next(protocol.plan(davis.clip_names())), davis)
    clip, other = davis.load("ant"), davis.load("bee")
    silhouettes = other.objects[:3] if other.objects is not None else np.empty(0)
    np.testing.assert_array_equal(case.truth, clip.frames)
    np.testing.assert_array_equal(case.holes, dilate(silhouettes, 1))
    np.testing.assert_array_equal(case.frames, np.where(silhouettes[..., None], other.frames[:3], clip.frames))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"how": "eroded", "px": 2}, lambda holes, seed: loose.eroded(holes, 2)),
        ({"how": "dilated", "px": 2}, lambda holes, seed: loose.dilated(holes, 2)),
        ({"how": "shifted", "px": 5}, lambda holes, seed: loose.shifted(holes, 5, seed)),
        ({"how": "box"}, lambda holes, seed: loose.boxed(holes)),
        ({"how": "late", "frames": 1}, lambda holes, seed: loose.late(holes, 1)),
        ({"how": "missing", "share": 0.5}, lambda holes, seed: loose.missing(holes, 0.5, seed)),
    ],
)
def test_a_method_is_given_the_worse_mask_and_sees_what_it_is_not_told_of(
    how: dict[str, Any], expected: Any, davis: Dataset
) -> None:
    protocol = removal(PASTED, {**PASTED, "name": "worse", "given": how})
    exact, planned = list(protocol.plan(["ant"]))
    true, case = (build_case(protocol, one, davis) for one in (exact, planned))
    np.testing.assert_array_equal(case.holes, true.holes)
    np.testing.assert_array_equal(case.frames, true.frames)
    masks = expected(true.holes, planned.seed)
    holed = case.holed()
    np.testing.assert_array_equal(holed.masks, masks)
    np.testing.assert_array_equal(holed.frames, np.where(masks[..., None], 0, case.frames))
    assert set(contents_of(case)) - set(contents_of(true)) == {"given_sha256"}


def test_the_score_is_over_the_true_hole(davis: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vibench.runner.bench.open_clips", lambda *_: davis)
    protocol = removal({**PASTED, "name": "none-given", "given": {"how": "eroded", "px": 99}})
    order = Order(protocol, (Spec(f"{__name__}:AsShown"),), ("psnr",), tmp_path / "runs")
    store = carry_out(order, Silent())
    for record in store.records():
        case = build_case(protocol, next(p for p in protocol.plan(CLIPS) if p.name == record.case), davis)
        assert not case.holed().masks.any() and case.truth is not None
        errors = [
            np.square(case.frames[t][hole].astype(float) - case.truth[t][hole]).mean()
            for t, hole in enumerate(case.holes)
        ]
        assert record.value("psnr", "hole") == pytest.approx(np.mean([10 * np.log10(255**2 / e) for e in errors]))
        assert record.given_sha256


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task": "restore", "holes": [{"name": "a", "source": "objects", "given": {"how": "box"}}]}, "needs task"),
        ({"task": "restore", "holes": [PASTED]}, "paste = true needs task"),
        ({"holes": [{"name": "a", "source": "other-objects", "given": {"how": "box"}}]}, "or with paste = true"),
        ({"holes": [{"name": "a", "source": "objects", "paste": True}]}, "other-objects"),
        ({"holes": [{"name": "a", "source": "objects", "given": {"how": "box", "px": 3}}]}, 'is "box" needs no number'),
        ({"holes": [{"name": "a", "source": "objects", "given": {"how": "late"}}]}, 'needs "frames" and no other'),
        ({"holes": [{"name": "a", "generator": "moving-square", "instances": [1]}]}, '"instances" chooses'),
    ],
)
def test_what_would_show_the_truth_or_mean_nothing_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        removal(**{"holes": [PASTED], **changes})


def test_a_pasted_object_may_be_shown(davis: Dataset) -> None:
    protocol = removal(PASTED, sees="everything")
    case = build_case(protocol, next(protocol.plan(["ant"])), davis)
    np.testing.assert_array_equal(case.holed().frames, case.frames)


@pytest.mark.parametrize("label", ["davis-object-loose@1", "synthetic-loose@1"])
def test_manifests_hold_both_masks_and_the_exact_kind_has_one(label: str) -> None:
    manifest = published(label)
    assert manifest is not None
    for entry in manifest.cases:
        assert (entry.given_sha256 is None) == entry.case.endswith("/exact")
        assert entry.given_sha256 != entry.sha256
    by_clip = {entry.clip: set() for entry in manifest.cases}
    for entry in manifest.cases:
        by_clip[entry.clip].add(entry.sha256)
    assert all(len(found) == 1 for found in by_clip.values()), "all kinds of one clip are scored in the same hole"


def test_loose_masks_are_scored_in_the_holes_of_the_published_protocol() -> None:
    ours, theirs = published("davis-object-loose@1"), published("davis-object@1")
    assert ours is not None and theirs is not None
    holes = {entry.clip: entry.sha256 for entry in theirs.cases}
    assert all(entry.sha256 == holes[entry.clip] for entry in ours.cases) and len(ours.cases) == 7 * len(holes)


def test_a_manifest_with_given_masks_reads_back(davis: Dataset, tmp_path: Path) -> None:
    protocol = removal(PASTED, {**PASTED, "name": "box", "given": {"how": "box"}})
    manifest = Manifest(protocol=protocol.label, digest=protocol.digest, cases=tuple(entries(protocol, davis)))
    (tmp_path / "m.json").write_text(as_text(manifest))
    assert read_manifest(tmp_path / "m.json") == manifest
    assert (tmp_path / "m.json").read_text().count("given_sha256") == len(CLIPS)


def test_loose_masks_come_to_a_table_with_a_slice_for_each(tmp_path: Path) -> None:
    published_one = load_protocol("synthetic-loose@1")
    protocol = published_one.model_copy(
        update={"data": published_one.data.model_copy(update={"split": "small", "clips": ("pan-fast", "still-slow")})}
    )
    order = Order(protocol, (Spec("telea"),), ("psnr",), tmp_path, in_process=True)
    store = carry_out(order, Silent())
    table = tabulate(Results.of(store.info, store.records()))
    sliced = next(one for one in slices_of(table) if one["attribute"] == "hole" and one["key"] == "psnr/hole")
    assert [name for name, _ in sliced["heads"]] == sorted(holes.name for holes in protocol.holes)
    values = dict(zip([name for name, _ in sliced["heads"]], map(float, sliced["rows"][0][1]), strict=True))
    assert values["exact"] > max(values["eroded"], values["shifted"], values["missing"], values["late"])


# Instances and sparse silhouettes.


def numbered(root: Path) -> Dataset:
    """A clip with two objects, as DAVIS 2017 numbers them: 1 above, 2 below in the last two frames."""
    write_davis(root, {"duo": 4})
    for t, file in enumerate(sorted((root / "Annotations" / "480p" / "duo").glob("*.png"))):
        labels = np.zeros((24, 32), np.uint8)
        labels[2:8, 4:12] = 1
        labels[14:20, 4:12] = 2 * (t >= 2)
        picture = Image.fromarray(labels, mode="P")
        picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        picture.save(file)
    card = card_of("davis-2017").model_copy(update={"splits": {"validation": {"duo": 4}}, "sizes_px": {}})
    return OPENERS["davis"](card, root, None)


@pytest.mark.parametrize(
    ("instances", "rows"), [((), {2, 14}), ((1,), {2}), ((2,), {14}), ((1, 2), {2, 14}), ((2, 7), {14})]
)
def test_instances_are_chosen_or_merged(instances: tuple[int, ...], rows: set[int], tmp_path: Path) -> None:
    protocol = removal({"name": "object", "source": "objects", "instances": instances})
    case = build_case(protocol, next(protocol.plan(["duo"])), numbered(tmp_path))
    assert {int(place[1]) for place in np.argwhere(case.holes)} & {2, 14} == rows
    assert int(case.holes[0].sum()) == 48 * (2 in rows)


def test_an_instance_that_a_clip_has_not_is_said_with_those_it_has(tmp_path: Path) -> None:
    protocol = removal({"name": "object", "source": "objects", "instances": [3]})
    with pytest.raises(InputError, match=r"clip 'duo' has no object 3 in the frames that are used; there are 1, 2"):
        build_case(protocol, next(protocol.plan(["duo"])), numbered(tmp_path))
    clips = open_dataset("synthetic", split="small")
    with pytest.raises(InputError, match="have no numbers"):
        build_case(protocol, next(protocol.plan(["pan-fast"])), clips)


def sparse(every: int) -> Dataset:
    """A synthetic clip of eight frames, annotated in each ``every``-th."""
    clips = open_dataset("synthetic", split="small")

    def read(name: str, limit: int | None) -> Clip:
        clip = clips.read(name, limit)
        annotated = np.arange(len(clip.frames)) % every == 0
        assert clip.objects is not None
        objects = clip.objects & annotated[:, None, None]
        return Clip(
            clip.name, clip.frames, clip.frames_per_second, objects, clip.flow, clip.background, clip.background_flow,
            annotated=annotated,
        )  # fmt: skip

    return Dataset(clips.card, clips.frame_counts, read)


def case_of(sparse_: str | None, every: int) -> tuple[Any, Clip]:
    data = {"dataset": "synthetic", "split": "small", "sparse": sparse_}
    protocol = removal({"name": "object", "source": "objects"}, data=data)
    case = build_case(protocol, next(protocol.plan(["pan-fast"])), sparse(every))
    return case, open_dataset("synthetic", split="small").load("pan-fast")


def test_annotated_frames_alone_are_a_slower_clip_with_exact_masks() -> None:
    case, whole = case_of("annotated", 5)
    assert whole.objects is not None and whole.background is not None
    np.testing.assert_array_equal(case.frames, whole.frames[::5])
    np.testing.assert_array_equal(case.holes, whole.objects[::5])
    np.testing.assert_array_equal(case.truth, whole.background[::5])
    assert case.frames_per_second == whole.frames_per_second * 2 / 8 and case.flow is None


def test_the_nearest_mask_holds_for_frames_between() -> None:
    case, whole = case_of("nearest", 5)
    assert whole.objects is not None
    np.testing.assert_array_equal(case.frames, whole.frames)
    np.testing.assert_array_equal(case.holes, whole.objects[[0, 0, 0, 5, 5, 5, 5, 5]])


def test_sparse_silhouettes_are_refused_until_the_protocol_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r'has masks for 2 of its 8 frames; use these frames only with sparse = "ann'):
        case_of(None, 5)
    case, _ = case_of(None, 1)
    assert len(case.frames) == 8
