from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simulated_study import answered
from small_run import write_run

from vibench.cli import app as cli
from vibench.errors import InputError
from vibench.media.video import iter_video
from vibench.study.files import StudyKey, read_answers, read_model
from vibench.study.page import broken, make_study, outlined
from vibench.study.questions import REMOVAL

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCRIPT = "<script>alert(1)</script>"
METHODS = ["telea", SCRIPT, "flow_propagation"]
QUESTION = f"Which {SCRIPT} is better?"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cases = ["carphone/square", "b/square", "c/torn"]
    return write_run(
        tmp_path_factory.mktemp("results"), METHODS, cases, frames=4, height=33, width=49, fails=[("telea", "c/torn")]
    ).folder


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study([run], tmp_path_factory.mktemp("made") / "study", question=QUESTION).page


@pytest.fixture(scope="module")
def removal_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("removal")
    run = write_run(folder / "runs", ["telea", "identity"], ["b/square"], frames=4, height=33, width=49, task="remove")
    return make_study([run.folder], folder / "study").page


def key_of(page: Path) -> StudyKey:
    return read_model(page.parent.with_name("study-key.json"), StudyKey, "a key")


def test_the_page_names_no_method_and_no_case(page: Path) -> None:
    text = page.read_text().replace("&lt;script&gt;alert(1)&lt;/script&gt;", "")  # the question's own
    names = " ".join(str(path.relative_to(page.parent)) for path in page.parent.rglob("*"))
    for secret in ("telea", "flow", "alert(1)", "carphone", "square", "truth", "broken", "is_check"):
        assert secret not in names
        assert not re.search(rf"\b{re.escape(secret)}\b", text), secret


def test_the_key_lies_beside_the_folder_and_not_inside(page: Path) -> None:
    assert {path.name for path in page.parent.parent.iterdir()} == {"study", "study-key.json"}
    assert {path.name for path in page.parent.iterdir()} == {"index.html", "clips"}
    key = key_of(page)
    assert {path.stem for path in (page.parent / "clips").iterdir()} == set(key.clips)
    assert set(key.methods) == set(METHODS) and key.cases == ("carphone/square", "b/square")


def test_the_page_reaches_for_nothing_outside_its_folder(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"https?:|//cdn|@import|fetch\(|XMLHttpRequest", text)
    assert "default-src 'none'" in text


def test_a_script_in_the_question_is_text(page: Path) -> None:
    assert SCRIPT not in page.read_text()
    assert page.read_text().count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2


def test_controls_have_names_and_motion_can_be_reduced(page: Path) -> None:
    text = page.read_text()
    assert text.count("prefers-reduced-motion") >= 2 and '<html lang="en">' in text
    assert all("aria-label=" in video for video in re.findall(r"<video[^>]*>", text))
    assert '<label for="answers">' in text and 'role="status"' in text


def test_a_seed_gives_the_same_study_and_another_seed_another(run: Path, page: Path, tmp_path: Path) -> None:
    again = make_study([str(run)], str(tmp_path / "a" / "study"), question=QUESTION).page
    assert again.read_bytes() == page.read_bytes()
    assert key_of(again) == key_of(page)
    other = key_of(make_study([run], tmp_path / "b" / "study", seed=2).page)
    assert not set(other.clips) & set(key_of(page).clips)


def test_clips_show_every_frame_at_even_size(page: Path) -> None:
    for clip in (page.parent / "clips").iterdir():
        video = iter_video(clip)
        assert (video.height, video.width, len(list(video))) == (34, 50, 4)


def test_a_broken_clip_differs_only_in_the_hole() -> None:
    truth, holes = np.full((3, 8, 8, 3), 90, np.uint8), np.zeros((3, 8, 8), bool)
    holes[:, 2:6, 2:6] = True
    spoilt = broken(truth, holes, seed=1)
    assert np.array_equal(spoilt[~holes], truth[~holes]) and spoilt[holes].std() > 40


def test_what_cannot_be_a_study_is_one_sentence(run: Path, page: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is there already"):
        make_study([run], page.parent)
    with pytest.raises(InputError, match="is there already"):
        make_study([run], Path())
    with pytest.raises(InputError, match="at least two methods"):
        make_study([run], tmp_path / "s", methods=["telea"])
    with pytest.raises(InputError, match="no method 'x'"):
        make_study([run], tmp_path / "s", methods=["x", "telea"])
    with pytest.raises(InputError, match="no case has the frames"):
        make_study([run], tmp_path / "s", cases=["c/torn"])
    other = write_run(tmp_path / "other", ["z"], ["q"], digest="e2" * 32, protocol_digest="p2" * 32)
    with pytest.raises(InputError, match="runs of one protocol"):
        make_study([run, other.folder], tmp_path / "s")
    assert not (tmp_path / "s").exists() and not (tmp_path / "s-key.json").exists()


def test_make_and_score_from_the_command_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["vibench", "study", "make", str(run)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0
    assert "c/torn is left out" in capsys.readouterr().err
    key = read_model(Path("study-key.json"), StudyKey, "a key")
    for rater in (1, 2):
        Path(f"{rater}.json").write_text(answered(key, min, rater).model_dump_json())
    monkeypatch.setattr(
        sys, "argv", ["vibench", "study", "score", "study-key.json", "1.json", "2.json", "-o", "s.json"]
    )
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "2 raters, 12 answers" in out and "Fleiss' kappa 1.00 over 6" in out
    assert json.loads(Path("s.json").read_text())["raters"] == 2


def test_where_a_protocol_removes_the_input_is_shown_and_three_questions_are_asked(
    removal_page: Path, page: Path, tmp_path: Path, run: Path
) -> None:
    key, text = key_of(removal_page), removal_page.read_text()
    assert key.questions == REMOVAL and list(key.inputs) == ["b/square"]
    assert all(question.asks in text for question in REMOVAL) and text.count("data-mark=") == 4
    assert {path.stem for path in (removal_page.parent / "clips").iterdir()} == {*key.clips, *key.inputs.values()}
    assert key_of(page).questions == () and "data-mark=" not in page.read_text()
    asked = key_of(make_study([run], tmp_path / "study", removal=True).page)
    assert asked.questions == REMOVAL and set(asked.inputs) == set(asked.cases)
    assert key_of(make_study([run], tmp_path / "not" / "study", removal=False).page).questions == ()
    assert asked.trials == key_of(make_study([run], tmp_path / "b" / "study").page).trials


def test_an_outline_touches_the_hole_and_leaves_it() -> None:
    frames, holes = np.full((1, 9, 9, 3), 90, np.uint8), np.zeros((1, 9, 9), bool)
    holes[:, 4, 4] = True
    shown = outlined(frames, holes)
    yellow = (shown == (255, 220, 0)).all(axis=-1)
    assert yellow.sum() == 12 and not yellow[0, 4, 4]
    assert np.array_equal(shown[~yellow], frames[~yellow]) and (frames == 90).all()


ROBOT = """<script>
    const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", {key, cancelable: true}));
    const part = (name) => document.querySelector(`[data-part="${name}"]`);
    part("begin").click();
    // A choice and a mark are taken back one by one; a choice is no mark.
    press("ArrowLeft"); press("ArrowUp"); press("Backspace"); press("Backspace");
    const back = part("marks").hidden && part("back").disabled;
    const keys = ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"];
    let asked = "";
    const film = part("input-video");
    film.addEventListener("loadeddata", () => {
      document.title = (back ? "played " : "stuck ") + (part("problem").textContent || "well");
      while (!part("trial").hidden) {
        for (const key of keys) { asked += part("asked").textContent; press(key); }
      }
      document.body.dataset.asked = asked;
    }, {once: true});
    </script></body>"""


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the path")
def test_a_rater_answers_three_questions_of_each_pair_by_keyboard(removal_page: Path, tmp_path: Path) -> None:
    text = _played(removal_page, tmp_path, ROBOT)
    assert "<title>played well</title>" in text
    assert all(question.asks in text.partition("data-asked=")[2] for question in REMOVAL)
    (rater,) = read_answers([_written(text, tmp_path)], key_of(removal_page))
    assert len(rater.answers) == len(key_of(removal_page).trials) == 3
    for answer in rater.answers:
        assert answer.choice == "right" and answer.marks == {"gone": "left", "real": "both", "damaged": "neither"}


def _played(page: Path, tmp_path: Path, robot: str) -> str:
    """The document of a copy of the page after a robot in it has worked."""
    shutil.copytree(page.parent, tmp_path / "study")
    copy = tmp_path / "study" / "index.html"
    copy.write_text(copy.read_text().replace("</body>", robot))
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--timeout=8000", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", copy.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def _written(text: str, tmp_path: Path) -> Path:
    """The file of the answers that stand in a finished page."""
    found = re.search(r'<textarea id="answers"[^>]*>(.*?)</textarea>', text)
    assert found is not None and 'href="blob:' in text
    (tmp_path / "answers.json").write_text(found[1])
    return tmp_path / "answers.json"


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the path")
def test_a_rater_answers_by_keyboard_and_the_answers_can_be_scored(page: Path, tmp_path: Path) -> None:
    """A copy of the page with a robot in it: it begins, presses keys once a video can play, takes one answer back."""
    robot = """<script>
    const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", {key, cancelable: true}));
    const part = (name) => document.querySelector(`[data-part="${name}"]`);
    part("begin").click();
    press("ArrowLeft"); press("Backspace");
    const keys = ["ArrowLeft", "ArrowRight", "ArrowDown"];
    let turn = 0;
    const film = part("left-video");
    film.addEventListener("loadeddata", () => {
      document.title = "played " + (part("problem").textContent || "well");
      while (!part("trial").hidden) press(keys[turn++ % 3]);
    }, {once: true});
    </script></body>"""
    text = _played(page, tmp_path, robot)
    assert "<title>played well</title>" in text
    (rater,) = read_answers([_written(text, tmp_path)], key_of(page))
    assert [answer.choice for answer in rater.answers][:3] == ["left", "right", "tie"]
    assert len(rater.answers) == len(key_of(page).trials) == 8
