"""Questions about removal: how often raters say that it is gone, that it looks real, and that more is damaged."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest
from simulated_study import answered, made_up_key

from vibench.errors import InputError
from vibench.study.dimensions import dimensions, wilson
from vibench.study.files import BlindClip, StudyKey, read_answers
from vibench.study.questions import REMOVAL
from vibench.study.score import score_answers, study_text

METHODS = ("a", "b", "c")
KEY = made_up_key(METHODS, cases=4, questions=REMOVAL)
TRUE = {"gone": {"a": 0.9, "b": 0.5, "c": 0.1}, "real": {"a": 0.2, "b": 0.3, "c": 0.4},
        "damaged": {"a": 0.05, "b": 0.5, "c": 0.95}}  # fmt: skip


@pytest.mark.parametrize(("yes", "count"), [(0, 7), (3, 11), (20, 20), (141, 300)])
def test_the_interval_of_a_whole_number_is_scipys(yes: int, count: int) -> None:
    interval = binomtest(yes, count).proportion_ci(0.95, method="wilson")
    assert wilson(yes / count, count) == pytest.approx((interval.low, interval.high))


def simulated(rater: int) -> Any:
    """A rater who says of each video always the same, by chance as often as is true of its method."""
    drawn: dict[tuple[str, str, str], bool] = {}
    chance = random.Random(rater)

    def view(name: str, clip: BlindClip) -> bool:
        share = TRUE[name].get(clip.method, 1.0)
        return drawn.setdefault((name, clip.method, clip.case), chance.random() < share)

    return answered(KEY, min, rater, view=view)


def test_known_shares_come_back_with_intervals_that_hold_them() -> None:
    found = score_answers(KEY, [simulated(rater) for rater in range(60)]).dimensions
    assert [(one.name, one.method) for one in found] == [(q.name, m) for q in REMOVAL for m in METHODS]
    for one in found:
        assert one.views == 60 * 4 and one.yes is not None and one.low is not None and one.high is not None
        assert one.yes == pytest.approx(TRUE[one.name][one.method], abs=0.08)
        assert one.low < one.yes < one.high and one.high - one.low < 0.14
    assert [one.wanted for one in found] == [True] * 6 + [False] * 3


def test_what_a_rater_says_of_a_video_counts_once_however_often_it_is_shown() -> None:
    """Each of three methods is seen beside two others; who says yes beside one of them only says half a yes."""
    (rater,) = [answered(KEY, min, 2, view=lambda name, clip: False)]
    trial = next(trial for trial in KEY.trials if not trial.is_check)
    changed = tuple(
        answer.model_copy(update={"marks": {**answer.marks, "gone": "left"}}) if answer.trial == trial.id else answer
        for answer in rater.answers
    )
    found = dimensions(KEY, [rater.model_copy(update={"answers": changed})])
    left = KEY.clips[trial.left].method
    by_method = {one.method: one for one in found if one.name == "gone"}
    assert by_method[left].views == 4 and by_method[left].yes == pytest.approx(0.5 / 4)
    assert all(by_method[method].yes == 0 for method in METHODS if method != left)


def test_who_fails_a_check_and_what_is_said_of_checks_counts_nowhere() -> None:
    bad = answered(KEY, min, 1, attentive=False, view=lambda name, clip: True)
    good = answered(KEY, min, 2, view=lambda name, clip: clip.method not in METHODS)
    found = score_answers(KEY, [bad, good]).dimensions
    assert {one.yes for one in found} == {0.0} and {one.views for one in found} == {4}


def test_mirrored_raters_mean_the_same_video() -> None:
    raters = [answered(KEY, min, rater, view=lambda name, clip: clip.method == "b") for rater in (1, 2)]
    assert {one.method: one.yes for one in score_answers(KEY, raters).dimensions} == {"a": 0, "b": 1, "c": 0}


def test_without_answers_or_questions_there_are_no_shares() -> None:
    assert all(one.yes is None and one.views == 0 for one in score_answers(KEY, []).dimensions)
    plain = made_up_key(METHODS, cases=1)
    assert score_answers(plain, [answered(plain, min)]).dimensions == ()
    assert "gone" not in study_text(score_answers(plain, [answered(plain, min)]))


def test_the_text_has_a_line_for_each_question_and_method() -> None:
    view = answered(KEY, min, 2, view=lambda name, clip: clip.method == "b")
    text = study_text(score_answers(KEY, [view]))
    low, high = (100 * bound for bound in wilson(1, 4))
    assert f"{'b':<32}  100.0 %  [{low:.1f}, {high:.1f}]  of 4 videos seen" in text
    for question in REMOVAL:
        assert f"{question.asks} yes, 95 % interval (Wilson), {'more' if question.wanted else 'less'} is better" in text


@pytest.mark.parametrize(
    "marks", [{}, {"gone": "left"}, {"gone": "left", "real": "left", "damaged": "left", "x": "left"}]
)
def test_answers_that_lack_a_question_or_have_another_are_refused(marks: dict[str, str], tmp_path: Path) -> None:
    facts = json.loads(answered(KEY, min).model_dump_json())
    facts["answers"][0]["marks"] = marks
    (tmp_path / "a.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="does not answer the questions of the study"):
        read_answers([tmp_path / "a.json"], KEY)


def test_a_mark_that_there_is_not_is_refused(tmp_path: Path) -> None:
    facts = json.loads(answered(KEY, min).model_dump_json())
    facts["answers"][0]["marks"]["gone"] = "perhaps"
    (tmp_path / "a.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match=r"answers\.0\.marks\.gone"):
        read_answers([tmp_path / "a.json"], KEY)


def test_a_key_of_before_has_no_questions_and_its_answers_no_marks(tmp_path: Path) -> None:
    plain = made_up_key(METHODS, cases=1)
    old = json.loads(plain.model_dump_json())
    del old["questions"], old["inputs"]
    assert StudyKey.model_validate_json(json.dumps(old), strict=True) == plain
    facts = json.loads(answered(plain, min).model_dump_json())
    for answer in facts["answers"]:
        del answer["marks"]
    (tmp_path / "a.json").write_text(json.dumps(facts))
    assert read_answers([tmp_path / "a.json"], plain) == [answered(plain, min)]
