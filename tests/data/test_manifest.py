"""Manifests: published holes are cut again to the bit, and a case with other holes is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from davis_layout import write_davis

import vibench.data.manifest
from vibench.data.cases import build_case, planned_cases
from vibench.data.dataset import Dataset, card_of
from vibench.data.layouts import OPENERS, open_dataset
from vibench.data.manifest import Manifest, as_text, check_against_published, entries, published, read_manifest
from vibench.errors import InputError
from vibench.files import bundled
from vibench.masks import sttn_stationary
from vibench.plugins import Spec
from vibench.protocol import Protocol, bundled_protocols, load_protocol
from vibench.runner.bench import Workbench
from vibench.runner.order import Order, repeats_named
from vibench.runner.run import carry_out

PUBLISHED = sorted(path.stem for path in (bundled("datasets") / "manifests").glob("*.json"))


def tiny(protocol: str, root: Path) -> tuple[Protocol, Dataset]:
    """A DAVIS protocol on three made clips, at a size of its own."""
    card = card_of("davis-2016").model_copy(update={"splits": {"validation": {"ant": 3, "bee": 5, "cow": 4}}})
    chosen = load_protocol(protocol)
    resize = chosen.resize and chosen.resize.model_copy(update={"width_px": 80, "height_px": 48})
    return chosen.model_copy(update={"resize": resize}), OPENERS["davis"](card, root, None)


def test_protocols_whose_data_travels_with_vibench_have_a_manifest() -> None:
    assert {"bundled@1", "synthetic@1"} <= set(PUBLISHED)


@pytest.mark.parametrize("label", PUBLISHED)
def test_a_published_manifest_is_that_of_its_protocol_and_complete(label: str) -> None:
    manifest, protocol = published(label), load_protocol(label)
    assert manifest is not None and manifest.protocol == protocol.label == label
    assert manifest.digest == protocol.digest
    clips = list(card_of(protocol.data.dataset).clips(protocol.data.split))
    planned = [(case.name, case.clip, case.seed) for case in protocol.plan(clips)]
    assert [(entry.case, entry.clip, entry.seed) for entry in manifest.cases] == planned


def test_the_bundled_protocol_s_holes_are_those_of_its_manifest() -> None:
    protocol = load_protocol("bundled@1")
    manifest = published("bundled@1")
    assert manifest is not None
    assert tuple(entries(protocol, open_dataset("bundled"))) == manifest.cases


def test_holes_of_davis_follow_from_size_length_and_seed_alone() -> None:
    """No pixel of DAVIS is needed to hold a generator to its published hashes."""
    from vibench.clip import digest
    from vibench.masks import stationary_square
    from vibench.media.resize import dilate

    draw = {"stationary-square": stationary_square, "sttn-stationary": sttn_stationary}
    for label, iterations in {"davis-stationary@1": 0, "sttn-davis@1": 4}.items():
        manifest = published(label)
        if manifest is None:
            continue
        for entry in [entry for entry in manifest.cases if entry.generator in draw][:5]:
            holes = draw[entry.generator](entry.frames, entry.height, entry.width, entry.seed)
            assert digest(dilate(holes, iterations)) == entry.sha256


def test_a_manifest_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    protocol = load_protocol("bundled@1")
    manifest = published("bundled@1")
    assert manifest is not None and manifest.digest == protocol.digest
    path = tmp_path / "m.json"
    path.write_text(as_text(manifest))
    assert read_manifest(path) == manifest
    assert json.loads(path.read_text())["protocol"] == "bundled@1"
    path.write_text("{}")
    with pytest.raises(InputError, match="is not a manifest"):
        read_manifest(path)


def test_every_davis_protocol_makes_cases_of_a_made_davis(tmp_path: Path) -> None:
    root = write_davis(tmp_path, {"ant": 3, "bee": 5, "cow": 4})
    for label in [p.label for p in bundled_protocols() if p.data.dataset == "davis-2016"]:
        protocol, clips = tiny(label, root)
        lines = list(entries(protocol, clips))
        assert len(lines) == 3 * len(protocol.holes) * protocol.repeats
        assert len({line.case for line in lines}) == len(lines)


def test_seeded_pairings_draw_another_clip_than_their_own(tmp_path: Path) -> None:
    protocol, clips = tiny("vinet-davis-fvid@1", write_davis(tmp_path, {"ant": 3, "bee": 5, "cow": 4}))
    from vibench.data.cases import partner_of

    partners = {(case.clip, partner_of(case, clips.clip_names())) for case in protocol.plan(clips.clip_names())}
    assert all(clip != partner for clip, partner in partners)
    assert len(partners) > 3


def altered(monkeypatch: pytest.MonkeyPatch) -> Manifest:
    manifest = published("bundled@1")
    assert manifest is not None
    first = manifest.cases[0].model_copy(update={"sha256": "0" * 64})
    changed = manifest.model_copy(update={"cases": (first, *manifest.cases[1:])})
    monkeypatch.setattr(vibench.data.manifest, "published", lambda _: changed)
    return changed


def test_other_holes_than_the_published_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = load_protocol("bundled@1")
    clips = open_dataset("bundled")
    first = next(protocol.plan(clips.clip_names()))
    case = build_case(protocol, first, clips)
    check_against_published(protocol, case)
    altered(monkeypatch)
    with pytest.raises(
        InputError, match=r"have sha256 \w{12} and the published manifest of bundled@1 says 000000000000"
    ):
        check_against_published(protocol, case)


def test_run_records_the_refused_case_and_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    altered(monkeypatch)
    from listening import Silent

    order = Order(load_protocol("bundled@1"), (Spec.parse("identity"),), ("psnr",), tmp_path, cases=("carphone",))
    store = carry_out(order, Silent())
    statuses = {record.case: record for record in store.records()}
    assert [record.status for record in statuses.values()] == ["failed", "scored"]
    failed = statuses["carphone/stationary-square"]
    assert failed.failure is not None and failed.failure.kind == "bad-input"
    assert "published manifest" in failed.failure.message


def test_a_protocol_of_the_user_s_own_is_held_to_no_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    altered(monkeypatch)
    protocol = load_protocol("bundled@1").model_copy(update={"seed": 7})
    clips = open_dataset("bundled")
    check_against_published(protocol, build_case(protocol, next(protocol.plan(clips.clip_names())), clips))


def test_seeds_choose_among_the_repeats() -> None:
    protocol = load_protocol("vinet-sintel@1")
    seeds = repeats_named("0, 3", protocol)
    assert [case.name for case in planned_cases(protocol, ["alley_1"], seeds=seeds)] == [
        "alley_1/moving-object/0",
        "alley_1/moving-object/3",
    ]
    for wrong in ("5", "x", "-1"):
        with pytest.raises(InputError, match=r"none of the repeats of vinet-sintel@1; they are 0 to 4"):
            repeats_named(wrong, protocol)


def test_synthetic_removal_knows_the_truth_and_motion_behind_the_object() -> None:
    protocol = load_protocol("synthetic@1").model_copy(
        update={"data": load_protocol("synthetic@1").data.model_copy(update={"split": "small"})}
    )
    clips = open_dataset("synthetic", split="small")
    narrow, wide = (build_case(protocol, planned, clips) for planned in protocol.plan(["pan-fast"]))
    assert narrow.truth is not None and narrow.flow is not None
    assert np.array_equal(narrow.truth[~narrow.holes], narrow.frames[~narrow.holes])
    assert narrow.holes.mean() < wide.holes.mean()
    assert {"hole motion", "hole deformation", "object motion", "camera motion"} <= set(narrow.attributes)


def test_bench_builds_on_every_protocol_that_needs_no_data(tmp_path: Path) -> None:
    for label in ("bundled@1", "synthetic@1"):
        protocol = load_protocol(label)
        Workbench.build(Order(protocol, (), ("psnr",), tmp_path))
