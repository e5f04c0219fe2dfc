"""A study's key and raters' answers made up in memory: what the tests of scoring read."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from vibench.results.record import TRUTH
from vibench.study.design import BROKEN, design
from vibench.study.files import Answer, BlindClip, Choice, RaterAnswers, StudyKey, Trial
from vibench.study.questions import Mark, Question

Judge = Callable[[str, str], str | None]
"""Takes two methods and returns the one that is preferred, or None for a tie."""


View = Callable[[str, BlindClip], bool]
"""Takes the name of a question and what a video shows, and says yes or no."""

MARKS: dict[tuple[bool, bool], Mark] = {
    (True, True): "both", (True, False): "left", (False, True): "right", (False, False): "neither"
}  # fmt: skip


def made_up_key(methods: Sequence[str], cases: int, checks: int = 2, questions: tuple[Question, ...] = ()) -> StudyKey:
    names = [f"c{index}" for index in range(cases)]
    shown = design(methods, names, names[:checks], seed=1)
    sides = sorted({(side, pair.case) for pair in shown for side in (pair.left, pair.right)})
    identifiers = {name: f"{index:016x}" for index, name in enumerate(sides)}
    return StudyKey(
        study="ab" * 8, seed=1, question="?", protocol_label="small@1", protocol_digest="p1", runs=("d1",),
        methods=tuple(methods), cases=tuple(names),
        clips={identifiers[method, case]: BlindClip(method=method, case=case) for method, case in sides},
        trials=tuple(
            Trial(id=f"{index:016x}", left=identifiers[pair.left, pair.case], right=identifiers[pair.right, pair.case],
                  is_check=pair.is_check)
            for index, pair in enumerate(shown)
        ),
        questions=questions,
    )  # fmt: skip


def answered(
    key: StudyKey, judge: Judge, rater: int = 1, attentive: bool = True, view: View = lambda name, clip: False
) -> RaterAnswers:
    """All trials by one rater; odd raters have the mirrored form. ``view`` answers the key's questions of a video."""
    mirrored = rater % 2 == 1
    answers = []
    for trial in reversed(key.trials) if mirrored else key.trials:
        left, right = (trial.right, trial.left) if mirrored else (trial.left, trial.right)
        names = (key.clips[left].method, key.clips[right].method)
        preferred = (TRUTH if attentive else BROKEN) if trial.is_check else judge(*names)
        marks: dict[str, Mark] = {
            question.name: MARKS[view(question.name, key.clips[left]), view(question.name, key.clips[right])]
            for question in key.questions
        }
        choice: Choice = "tie" if preferred is None else "left" if preferred == names[0] else "right"
        answers.append(Answer(trial=trial.id, left=left, right=right, choice=choice, seconds=2.5, marks=marks))
    return RaterAnswers(version=1, study=key.study, rater=f"{rater:016x}", mirrored=mirrored, answers=tuple(answers))


def bradley_terry_judge(strengths: dict[str, float], seed: int) -> Judge:
    from math import exp

    chance = random.Random(seed)

    def judge(first: str, second: str) -> str:
        return first if chance.random() < 1 / (1 + exp(strengths[second] - strengths[first])) else second

    return judge
