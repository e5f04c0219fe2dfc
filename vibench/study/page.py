"""Writes a study: a folder with one page and its videos under blinded names, and the key beside the folder."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vibench.clip import Frames, Masks
from vibench.errors import InputError
from vibench.files import disk_errors, write_atomically
from vibench.media.resize import dilate
from vibench.media.video_writer import encode
from vibench.plugins import split_outside_brackets
from vibench.report.page.folder import case_jobs
from vibench.report.page.media import CaseJob
from vibench.report.page.render import render
from vibench.results.record import TRUTH
from vibench.results.results import Results, gathered
from vibench.results.store import Store
from vibench.study.design import BROKEN, Pair, design
from vibench.study.files import BlindClip, StudyKey, Trial
from vibench.study.questions import REMOVAL

QUESTION = "Which video looks more natural?"

OUTLINE = (255, 220, 0)
"""What is around the object that is to be removed, in the video of the input."""


class Study(NamedTuple):
    """What was written: the page, and the key that stays with whoever asks.

    ``trials`` is how many comparisons a rater makes; ``notes`` are sentences about what was left out.
    """

    page: Path
    key: Path
    trials: int
    notes: tuple[str, ...]


def make_study(
    runs: Sequence[Path | str],
    output: Path | str,
    methods: str | Sequence[str] = (),
    cases: str | Sequence[str] = (),
    checks: int = 2,
    seed: int = 1,
    question: str = QUESTION,
    removal: bool | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Study:
    """Write ``<output>/index.html`` and ``<output>-key.json``; the same runs and seed give the same page.

    ``runs`` are folders of runs of one protocol, or folders that hold runs. ``methods`` and ``cases`` choose some of
    the runs', as a list of names or as one text with commas between them; all are shown where they are empty.
    ``checks`` is the number of attention checks, ``question`` what raters are asked. With ``removal``, which is
    None for "where the protocol removes", they also see the input with its holes outlined and say of each video whether
    the object is gone, whether it looks real, and whether anything else is damaged. ``say`` is called with a sentence
    for each case whose videos are made. Names are blinded against bias, not against a rater who has this program, the
    runs and the seed. InputError where runs cannot be compared, fewer than two methods remain, no case has kept the
    frames of all methods, an attention check finds no truth, something lies under ``output`` already, or it cannot be
    written.
    """
    output = Path(output)
    key_path = output.parent / f"{os.path.basename(os.path.realpath(output))}-key.json"
    for path in (output, key_path):
        if path.exists():
            raise InputError(f"{str(path)!r} is there already, and its answers would be lost; choose another --output")
    results, jobs = _of_one_protocol(runs)
    chosen = _chosen(methods, [facts.label for facts in results.methods], "method")
    if len(chosen) < 2:
        raise InputError(f"a study compares at least two methods, not {len(chosen)}; give further runs")
    whole, notes = _whole_cases(jobs, _chosen(cases, results.cases, "case"), chosen)
    shown = design(chosen, whole, _check_cases(whole, jobs, checks), seed)
    asks = results.protocol.get("task") == "remove" if removal is None else removal
    key = _blinded(shown, results, chosen, whole, seed, question)
    if asks:
        key = _with_questions(key)
    with disk_errors(output.parent):
        output.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{output.name}.", suffix=".partial", dir=output.parent))
        try:
            rates = _write_clips(partial / "clips", key, jobs, say)
            page = render("study.html", {"question": question, "removal": asks, "data": _page_data(key, rates)})
            write_atomically(partial / "index.html", page.encode())
            partial.chmod(0o755)
            write_atomically(key_path, (key.model_dump_json(indent=1) + "\n").encode())
            partial.rename(output)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            key_path.unlink(missing_ok=True)
            raise
    return Study(output / "index.html", key_path, len(shown), tuple(notes))


def _of_one_protocol(runs: Sequence[Path | str]) -> tuple[Results, dict[str, CaseJob]]:
    stores, groups = gathered(runs)
    if len(groups) != 1:
        labels = ", ".join(results.label for results in groups)
        raise InputError(f"a study compares runs of one protocol, not of {len(groups)} ({labels}); make one for each")
    return groups[0], case_jobs(groups[0], stores)


def _chosen(wanted: str | Sequence[str], known: Sequence[str], what: str) -> list[str]:
    wanted = split_outside_brackets(wanted) if isinstance(wanted, str) else wanted
    if unknown := [name for name in wanted if name not in known]:
        raise InputError(f"the runs have no {what} {unknown[0]!r}; there are {', '.join(known[:8])}")
    return [name for name in known if not wanted or name in wanted]


def _whole_cases(jobs: dict[str, CaseJob], cases: Sequence[str], methods: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the cases of which every method's frames were kept, and a sentence about each other one.

    A case that lacks a method would upset the balance of the pairs.
    """
    whole, notes = [], []
    for case in cases:
        there = {output.label for output in jobs[case].outputs} if case in jobs else set()
        if lacking := [method for method in methods if method not in there]:
            notes.append(f"{case} is left out: no frames of {', '.join(lacking)} were kept")
        else:
            whole.append(case)
    if not whole:
        raise InputError("no case has the frames of every method; run with --keep-frames, or name fewer --methods")
    return whole, notes


def _check_cases(cases: Sequence[str], jobs: dict[str, CaseJob], checks: int) -> list[str]:
    """Choose a case for each attention check: those with a truth, by the size of their holes, in turns."""
    if not checks:
        return []
    sizes = {}
    for case in cases:
        kept = Store.open(jobs[case].run).case_frames(case)
        if kept is not None and kept[2] is not None and kept[1].any():
            sizes[case] = float(kept[1].mean())
    if not sizes:
        raise InputError("no case has a truth to make attention checks of; give --checks 0 to go without")
    order = sorted(sizes, key=lambda case: -sizes[case])
    return [order[turn % len(order)] for turn in range(checks)]


def _blinded(
    shown: Sequence[Pair], results: Results, methods: Sequence[str], cases: Sequence[str], seed: int, question: str
) -> StudyKey:
    """Give every clip and every pair a name drawn by chance."""
    digests = tuple(info.digest for info in results.runs)
    # The runs take part, so that two studies of one seed do not share an id.
    chance = random.Random(f"{seed} {' '.join(digests)} {_spelled(shown)}")

    def drawn() -> str:
        return f"{chance.getrandbits(64):016x}"

    names = sorted({(side, pair.case) for pair in shown for side in (pair.left, pair.right)})
    identifiers = {name: drawn() for name in names}
    return StudyKey(
        study=drawn(),
        seed=seed,
        question=question,
        protocol_label=results.label,
        protocol_digest=results.runs[0].protocol_digest,
        runs=digests,
        methods=tuple(methods),
        cases=tuple(cases),
        clips={identifiers[method, case]: BlindClip(method=method, case=case) for method, case in names},
        trials=tuple(
            Trial(
                id=drawn(),
                left=identifiers[pair.left, pair.case],
                right=identifiers[pair.right, pair.case],
                is_check=pair.is_check,
            )
            for pair in shown
        ),
    )


def _with_questions(key: StudyKey) -> StudyKey:
    """The key with the questions about removal, and a name drawn by chance for the video of each case's input."""
    chance = random.Random(f"{key.study} inputs")
    return key.model_copy(
        update={"questions": REMOVAL, "inputs": {case: f"{chance.getrandbits(64):016x}" for case in key.cases}}
    )


def _spelled(shown: Sequence[Pair]) -> str:
    """Spell the pairs as the first studies did: the same runs and seed give the same names in every version."""
    pairs = [f"Comparison(case={a!r}, left={b!r}, right={c!r}, is_check={d!r})" for a, b, c, d in shown]
    return f"({', '.join(pairs)}{',' if len(pairs) == 1 else ''})"


def _page_data(key: StudyKey, rates: dict[str, float]) -> dict[str, object]:
    """Return what the page's script may know: no names, and not which trials are checks."""
    trials = [{"id": trial.id, "left": trial.left, "right": trial.right} for trial in key.trials]
    if key.questions:
        for trial in trials:
            trial["input"] = key.inputs[key.clips[trial["left"]].case]
    questions = [{"name": question.name, "asks": question.asks} for question in key.questions]
    return {"study": key.study, "trials": trials, "rates": rates, "questions": questions}


def _write_clips(folder: Path, key: StudyKey, jobs: dict[str, CaseJob], say: Callable[[str], None]) -> dict[str, float]:
    """Write each clip as a video under its blinded name; return the frames per second of each."""
    rates = {}
    for done, case in enumerate(key.cases, start=1):
        job = jobs[case]
        home = Store.open(job.run)
        rate = Fraction(home.frames_per_second(case) or 24.0).limit_denominator(1001)
        for identifier, clip in key.clips.items():
            if clip.case == case:
                encode(folder / f"{identifier}.mp4", map(_even, _frames(clip.method, job, home, key.seed)), rate)
                rates[identifier] = float(rate)
        if case in key.inputs:
            kept = _kept(home, case)
            encode(folder / f"{key.inputs[case]}.mp4", map(_even, outlined(kept[0], kept[1])), rate)
        say(f"videos of {case} ({done}/{len(key.cases)})")
    return rates


def _frames(method: str, job: CaseJob, home: Store, seed: int) -> Frames:
    if method in (TRUTH, BROKEN):
        _, holes, truth = _kept(home, job.case)
        if truth is None:
            raise InputError(f"the frames of {job.case!r} are torn; run it again")
        return truth if method == TRUTH else broken(truth, holes, seed)
    output = next(output for output in job.outputs if output.label == method)
    frames = Store.open(output.run).frames(output.method, job.case)
    if frames is None:
        raise InputError(f"the frames of {method!r} for {job.case!r} are torn or were not kept; run it again")
    return frames


def _kept(home: Store, case: str) -> tuple[Frames, Masks, Frames | None]:
    """The input, the holes and the truth of a case."""
    kept = home.case_frames(case)
    if kept is None:
        raise InputError(f"the frames of {case!r} are torn; run it again")
    return kept


def outlined(frames: Frames, holes: Masks) -> Frames:
    """Return frames, uint8 (T, H, W, 3), with a yellow line of two pixels around their holes, bool (T, H, W)."""
    shown = frames.copy()
    shown[dilate(holes, 2) & ~holes] = OUTLINE
    return shown


def broken(truth: Frames, holes: Masks, seed: int) -> Frames:
    """Return the truth with coloured noise in its hole, new in each frame: what nobody who looks can prefer.

    ``truth`` is (T, H, W, 3) uint8, ``holes`` (T, H, W) bool.
    """
    spoilt = truth.copy()
    spoilt[holes] = np.random.default_rng(seed).integers(0, 256, (int(holes.sum()), 3), np.uint8)
    return spoilt


def _even(picture: Frames) -> Frames:
    """Repeat the last row and column where a side is odd: H.264 in 4:2:0 needs even sides."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
