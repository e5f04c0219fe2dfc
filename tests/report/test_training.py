"""What a report says about the training of weights is words: all stages where they are known, and no Python."""

from __future__ import annotations

from typing import Any

import pytest

from vibench.report.page.words import about_method
from vibench.results.record import MethodFacts


def told(**facts: Any) -> dict[str, str]:
    return dict(about_method(MethodFacts(label="m", factory="f:F", source_sha256="5" * 64, facts=facts)))


@pytest.mark.parametrize("name", ["vinet.method:VINetMethod", "baselines.frame_baseline:FrameBaseline"])
def test_bundled_weights_tell_every_recipe_and_stage_and_nothing_reads_as_python(name: str) -> None:
    from vibench import plugins

    described = dict(plugins.factory("methods", name)().describe())
    words = told(**described)
    stages = {"vinet.method:VINetMethod": ("body 1,200 steps", "unrolled 1,600", "long 1,800", "fast 600", "large 500"),
              "baselines.frame_baseline:FrameBaseline": ("body 2,800 steps", "fast 1,200", "texture 250")}  # fmt: skip
    assert all(stage in words["Trained"] for stage in stages[name])
    assert words["Last training"].startswith(f"recipe {described['weights_notes']['recipe']}, stages ")
    assert not any(mark in text for text in words.values() for mark in ("{", "}", "'", "None", "True", "False"))


def test_weights_of_ones_own_tell_their_last_training() -> None:
    words = told(
        weights_sha256="1" * 64,
        weights_notes={"recipe": "mine", "stages": "a 5, b 6", "torch": "2.9", "steps": "7", "device": "x"},
    )
    assert (
        "Trained" not in words
        and words["Last training"] == "recipe mine, stages a 5, b 6, taken after 7 steps, device x, torch 2.9"
    )


@pytest.mark.parametrize("notes", ["text", 7, None, [], {}, {"training_seconds": [1]}, {"recipe": {"a": [None, True]}}])
def test_notes_may_be_anything(notes: Any) -> None:
    assert all(
        isinstance(text, str) for text in told(weights_notes=notes, more={"a": {"b": (1, None, False)}}).values()
    )
