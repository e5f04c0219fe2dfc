from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from simulated_study import answered, bradley_terry_judge, made_up_key

from vibench.errors import InputError
from vibench.study.files import StudyKey, read_answers, read_model
from vibench.study.score import bradley_terry, fleiss_kappa, score_answers, score_study, share

needs_choix = pytest.mark.skipif(find_spec("choix") is None, reason="needs choix, as in the extra study")
STRENGTHS = {"a": 0.9, "b": 0.3, "c": -0.2, "d": -1.0}


def first_by_name(first: str, second: str) -> str:
    return min(first, second)


def test_a_share_and_its_interval_are_scipys() -> None:
    found = share("a", None, 13, 7, 5)
    interval = binomtest(13, 20).proportion_ci(0.95, method="wilson")
    assert (found.share, found.low, found.high) == (0.65, interval.low, interval.high)
    assert (found.preferred, found.decided, found.ties) == (13, 20, 5)
    assert share("a", None, 0, 0, 3).share is None


@needs_choix
def test_strengths_of_expected_counts_are_the_true_ones() -> None:
    true = np.array(list(STRENGTHS.values()))
    wins = 100 / (1 + np.exp(true[None] - true[:, None]))
    np.fill_diagonal(wins, 0)
    values = bradley_terry(wins).values
    assert values is not None
    np.testing.assert_allclose(values, true - true.mean(), atol=1e-6)


@needs_choix
def test_known_strengths_come_back_from_simulated_answers() -> None:
    key = made_up_key(list(STRENGTHS), cases=6)
    found = score_answers(key, [answered(key, bradley_terry_judge(STRENGTHS, seed), seed) for seed in range(80)])
    assert (found.raters, found.answers) == (80, 80 * 6 * 6)
    assert found.strengths.values is not None
    # 480 answers a pair: a standard error of about 0.06.
    np.testing.assert_allclose(found.strengths.values, list(STRENGTHS.values()), atol=0.25)


@needs_choix
def test_strengths_without_a_finite_estimate_say_so() -> None:
    found = bradley_terry(np.array([[0.0, 5.0], [0.0, 0.0]]))
    assert found.values is None and "never preferred" in found.reason


def test_without_choix_everything_else_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "choix", None)
    found = score_answers(key := made_up_key(["a", "b"], cases=2), [answered(key, first_by_name)])
    assert found.methods[0].share == 1
    assert found.strengths.values is None and "vibench[study]" in found.strengths.reason


def test_mirrored_raters_who_prefer_the_same_method_agree_perfectly() -> None:
    key = made_up_key(["a", "b", "c"], cases=3)
    found = score_answers(key, [answered(key, first_by_name, rater) for rater in range(4)])
    assert found.kappa == 1 and found.kappa_trials == 9
    assert [entry.share for entry in found.methods] == [1, 0.5, 0]


def test_kappa_matches_the_example_of_fleiss() -> None:
    """Ten items, five categories, fourteen raters: 0.210 as printed at en.wikipedia.org/wiki/Fleiss'_kappa."""
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert fleiss_kappa(np.array(counts)) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa(np.array([[1, 0], [0, 1]])) is None  # one rater


def test_raters_who_fail_a_check_are_named_and_count_nowhere() -> None:
    key = made_up_key(["a", "b"], cases=4)
    good, bad = answered(key, first_by_name, 1), answered(key, lambda a, b: max(a, b), 2, attentive=False)
    checks = {trial.id for trial in key.trials if trial.is_check}
    early = answered(key, first_by_name, 3)
    early = early.model_copy(update={"answers": tuple(each for each in early.answers if each.trial not in checks)})
    found = score_answers(key, [good, bad, early])
    assert found.left_out == {
        f"{2:016x}": "failed 2 of 2 attention checks",
        f"{3:016x}": "answered only 0 of 2 attention checks",
    }
    assert found.raters == 1 and found.methods[0].share == 1 and found.answers == 4


@needs_choix
def test_ties_stand_apart_from_shares() -> None:
    key = made_up_key(["a", "b"], cases=3)
    found = score_answers(key, [answered(key, lambda a, b: None)])
    assert found.methods[0].share is None and found.methods[0].ties == 3
    assert found.strengths.values == (0, 0)  # half a win each


def test_answers_and_key_survive_the_disk(tmp_path: Path) -> None:
    key, rater = made_up_key(["a", "b"], cases=2), answered(made_up_key(["a", "b"], cases=2), first_by_name)
    (tmp_path / "key.json").write_text(key.model_dump_json())
    (tmp_path / "a.json").write_text(rater.model_dump_json())
    assert read_model(tmp_path / "key.json", StudyKey, "a key") == key
    assert read_answers([tmp_path / "a.json"], key) == [rater]


def test_from_python_the_files_are_enough(tmp_path: Path) -> None:
    key = made_up_key(["a", "b"], cases=2)
    (tmp_path / "key.json").write_text(key.model_dump_json())
    (tmp_path / "a.json").write_text(answered(key, first_by_name).model_dump_json())
    found = score_study(str(tmp_path / "key.json"), [str(tmp_path / "a.json")], str(tmp_path / "s.json"))
    assert found == score_answers(key, [answered(key, first_by_name)])
    written = json.loads((tmp_path / "s.json").read_text())
    assert list(written)[:2] == ["study", "raters"] and written["strengths"].keys() == {"values", "reason"}
    with pytest.raises(InputError, match="cannot write into"):
        score_study(tmp_path / "key.json", [tmp_path / "a.json"], tmp_path / "a.json" / "s.json")


def changed(**changes: Any) -> Any:
    return lambda facts: {**facts, **changes}


def first_answer(**changes: Any) -> Any:
    return lambda facts: {**facts, "answers": [{**facts["answers"][0], **changes}, *facts["answers"][1:]]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (changed(study="cd" * 8), "give the key of that study"),
        (changed(rater="<script>"), "'rater'"),
        (changed(extra={"\x1b[2J" * 99: 1}), "torn or is not"),
        (changed(**{"\x1b[2J" * 99: 1}), "torn or is not"),
        (changed(answers=17), "'answers'"),
        (first_answer(choice="both"), "answers.0.choice"),
        (first_answer(seconds="NaN"), "answers.0.seconds"),
        (first_answer(seconds=-1), "answers.0.seconds"),
        (first_answer(trial="f" * 16), "there is no trial"),
        (first_answer(left="f" * 16), "did not show these two clips"),
        (changed(mirrored=False), "did not show these two clips"),
        (lambda facts: {**facts, "answers": facts["answers"] * 2}, "answered twice"),
        (lambda facts: [], "torn or is not"),
    ],
)
def test_a_hostile_answer_is_one_sentence(change: Any, sentence: str, tmp_path: Path) -> None:
    key = made_up_key(["a", "b"], cases=2)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(change(json.loads(answered(key, first_by_name).model_dump_json()))))
    with pytest.raises(InputError) as caught:
        read_answers([path], key)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 600 and str(caught.value).isprintable()


@pytest.mark.parametrize(
    "content", [b"", b'{"version": 1', b"\xff\xfe", b"[" * 200_000, b'"\\ud800"', b"\0" * (2**24 + 1)]
)
def test_a_torn_file_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json"):
        read_answers([tmp_path / "a.json"], made_up_key(["a", "b"], cases=1))


def test_a_missing_file_and_a_rater_twice_are_one_sentence(tmp_path: Path) -> None:
    key = made_up_key(["a", "b"], cases=1)
    with pytest.raises(InputError, match="cannot read"):
        read_answers([tmp_path / "none.json"], key)
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(answered(key, first_by_name).model_dump_json())
    with pytest.raises(InputError, match="are of one rater"):
        read_answers([tmp_path / "a.json", tmp_path / "b.json"], key)


def test_a_key_that_does_not_hang_together_is_refused(tmp_path: Path) -> None:
    facts = json.loads(made_up_key(["a", "b"], cases=1).model_dump_json())
    facts["trials"][0]["left"] = facts["trials"][0]["right"]
    (tmp_path / "key.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="does not compare two known clips"):
        read_model(tmp_path / "key.json", StudyKey, "a key")
