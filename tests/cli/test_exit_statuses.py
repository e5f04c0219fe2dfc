"""The exit statuses that docs/environment.md lists: each is had from the command that it is told of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from command_line import Outcome
from small_run import write_run

from vibench.cli.app import app
from vibench.results.store import Store

TABLE = """
title = "Small"
protocol = "bundled@1"
columns = ["psnr/hole"]
setting = "made for a test"
[[methods]]
name = "{method}"
title = "The method"
"""
VERBS = sorted(vars(typer.main.get_command(app))["commands"])

Command = Callable[..., Outcome]


def paper(folder: Path, method: str = "identity") -> str:
    path = folder / "small.toml"
    path.write_text(TABLE.format(method=method))
    return str(path)


@pytest.mark.parametrize("verb", VERBS)
def test_an_option_that_is_none_is_two_for_every_command(verb: str, vibench: Command) -> None:
    assert vibench(verb, "--no-such-option")[0] == 2
    assert vibench(verb, "--help")[0] == 0


@pytest.mark.parametrize("words", [
    ("report", "nowhere"), ("table", "nowhere"), ("compare", "nowhere", "nowhere"), ("reproduce", "nothing"),
    ("publish", "nowhere", "--format", "junit"), ("score", "nowhere"), ("run", "-m", "no-such-method"),
    ("merge", "nowhere", "-o", "x"), ("figure", "nowhere", "case", "-o", "x.png"),
    ("regress", "-m", "telea", "--baseline", "no.json"), ("speed", "nothing"), ("profile", "nothing"),
    ("list", "nothing"), ("export", "no-such-protocol", "-o", "x"),
])  # fmt: skip
def test_what_is_not_there_is_two_and_one_sentence(
    words: tuple[str, ...], vibench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = vibench(*words)
    assert status == 2 and "Traceback" not in err


def test_run_is_zero_and_four_where_a_method_failed(
    vibench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vibench.plugins import register

    def falls_over() -> Callable[..., object]:
        def fill(holed: object) -> object:
            raise RuntimeError("it fell over")

        return fill

    monkeypatch.setattr("vibench.plugins._local", {})
    register("methods", "falls_over", falls_over)
    words = ("--limit", "1", "-o", str(tmp_path), "--device", "cpu", "--metrics", "psnr", "--in-process")
    assert vibench("run", "-m", "identity", *words)[0] == 0
    status, _, err = vibench("run", "-m", "falls_over", *words)
    assert status == 4 and "all 1 of 1 records failed" in err


def test_compare_is_zero_one_or_three_and_says_what_differs(vibench: Command, tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", ["good", "poor"], [f"c{k}" for k in range(7)]).folder
    assert vibench("compare", f"{run}::poor", f"{run}::good")[0] == 0
    assert vibench("compare", f"{run}::good", f"{run}::poor")[0] == 1
    other = write_run(tmp_path / "b", ["good"], ["x"], digest="d2" * 32, protocol_digest="p2" * 32, averaging="frames")
    status, _, err = vibench("compare", str(run), str(other.folder))
    assert status == 3 and "scoring.averaging is clips and frames" in err


def test_reproduce_says_how_long_and_what_the_weights_are(vibench: Command, tmp_path: Path) -> None:
    words = ("--limit", "1", "-o", str(tmp_path / "out"), "--device", "cpu")
    status, out, err = vibench("reproduce", paper(tmp_path, "frame_baseline"), *words)
    assert status == 0 and "filling 1 cases" in err and "by a probe of 6 frames" in err
    assert "The method: weights trained by the recipes frame-baseline-cpu (body 2,800 steps" in out


def test_reproduce_after_a_stop_has_a_partial_table_and_130(
    vibench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = 0

    def stop(store: Store, *arguments: object, **more: object) -> None:
        nonlocal finished
        kept(store, *arguments, **more)  # type: ignore[arg-type]
        finished += 1
        if finished == 2:
            raise KeyboardInterrupt

    kept = Store.keep
    monkeypatch.setattr(Store, "keep", stop)
    status, out, err = vibench("reproduce", paper(tmp_path), "-o", str(tmp_path / "out"), "--device", "cpu")
    assert status == 130 and "the same command continues" in err
    assert "stopped before its end" in out and "partial table:" in out and "The method" in out


def test_every_bundled_weights_file_has_its_history() -> None:
    import hashlib
    import tomllib

    from vibench.files import bundled

    root = Path(__file__).parents[2]
    known = tomllib.loads((bundled("reports") / "trainings.toml").read_text())["trained"]
    files = [*(root / "vinet" / "bundled").rglob("compact*.safetensors"), *(root / "baselines").glob("*.safetensors")]
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in files} == set(known)
