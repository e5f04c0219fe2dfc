"""A recipe is checked before anything runs, and what is wrong is said in one sentence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from vinet.errors import VINetError
from vinet.training.recipe import BUNDLED, LATER, parse, read

STAGE = {"name": "a", "kind": "flow", "steps": 3}


def recipe(stage: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"name": "x", "stages": [STAGE | (stage or {})], **fields}


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("*.toml")), ids=lambda path: path.stem)
def test_bundled_recipes_are_right(path: Path) -> None:
    assert read(path.stem).name == path.stem


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": "x"}, "at least one"),
        (recipe({"kind": "magic"}), "kind must be flow, body, joint or unrolled, not 'magic'"),
        (recipe({"steps": 0}), "steps must be above 0, not 0"),
        (recipe({"steps": "many"}), "steps must be a whole number, not 'many'"),
        (recipe({"steps": True}), "steps must be a whole number, not True"),
        (recipe({"crop_px": 50}), "crop_px must be a multiple of 8 from 16 up, not 50"),
        (recipe({"speed": 1}), "has no field 'speed'"),
        (recipe({"weights": {"beauty": 1.0, "endpoint": 1}}), "beauty=1.0"),
        (recipe({"weights": {"l1": 1.0}}), "must weigh endpoint"),
        (recipe({"kind": "unrolled"}), "at least 2 targets, not 1"),
        (recipe({"targets": 4}), "targets is 1"),
        (recipe({"lead": 2}), "lead is 0 in all but unrolled stages"),
        (recipe({"kind": "unrolled", "targets": 2, "lead": -1}), "never below, not -1"),
        (recipe({"longest_lead": 3}), "longest_lead is 0 in all but unrolled stages"),
        (recipe({"kind": "unrolled", "targets": 2, "lead": 4, "longest_lead": 3}), "at least lead=4, not 3"),
        (recipe({"drop_memory": 0.5}), "drop_memory is 0 in all but unrolled stages, not 0.5"),
        (
            recipe({"kind": "unrolled", "targets": 2, "drop_output": 1.5}),
            "drop_output must be at least 0 and at most 1",
        ),
        (recipe({"kind": "unrolled", "targets": 2, "drop_output": 0.6, "drop_holes": 0.6}), "add up to at most 1"),
        (recipe({"kind": "unrolled", "targets": 2, "longest_shown": 4}), "set longest_lead too"),
        (recipe({"motion_px": [1.0]}), "two numbers"),
        (recipe(network={"kind": "frame"}), "frame network is trained in body stages"),
        (recipe(network={"switches": {"given_flow": True}}), "this network has none"),
        (recipe(network={"switches": {"wings": 2}}), "unknown field 'wings'"),
        (recipe(ema=1.0), "ema must be at least 0 and below 1"),
        (recipe(data={"clip_share": 2}), "clip_share must be at least 0 and at most 1, not 2"),
        ({"name": "x", "stages": [STAGE, STAGE]}, "the same name"),
        ({"name": "x", "stages": [{"kind": "flow", "steps": 1}]}, "lacks name"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(VINetError, match=sentence) as refusal:
        parse(values)
    assert "\n" not in str(refusal.value)


def test_settings_change_single_fields() -> None:
    changed = read("compact-cpu", ["seed=3", "stages.*.batch=1", "stages.flow.steps=2", "data.photos=some/folder"])
    assert changed.seed == 3 and changed.data.photos == "some/folder"
    assert {stage.batch for stage in changed.stages} == {1} and changed.stages[0].steps == 2


@pytest.mark.parametrize("setting", ["seed", "stages.nothing.steps=2", "seed.deep.er=1"])
def test_a_setting_that_names_nothing_is_refused(setting: str) -> None:
    with pytest.raises(VINetError):
        read("compact-cpu", [setting])


def test_what_is_no_recipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("= 3")
    for name in ("unheard-of", str(tmp_path / "bad.toml"), str(tmp_path / "absent.toml")):
        with pytest.raises(VINetError):
            read(name)


def test_the_digest_follows_what_changes_numbers_up_to_its_stage() -> None:
    plain = read("compact-cpu")
    assert plain.digest(4) == read("compact-cpu", ["checkpoint_seconds=5", "data.cache=elsewhere"]).digest(4)
    changed = read("compact-cpu", ["stages.body.batch=5"])
    assert plain.digest(2) != changed.digest(2) and plain.digest(1) == changed.digest(1)


def test_fields_that_came_later_leave_the_digest_of_an_older_training_as_it_was() -> None:
    plain = read("finetune-cpu")
    fields = plain.to_dict()
    del fields["checkpoint_seconds"], fields["data"]["cache"], fields["data"]["vgg16"]
    for name in LATER:
        del fields["stages"][0][name]
    assert plain.digest(1) == hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    for name, value in zip(LATER, (3, 0.5, 0.5, 0.5), strict=True):
        assert read("finetune-cpu", [f"stages.fast.{name}={value}"]).digest(1) != plain.digest(1)
