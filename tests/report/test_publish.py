"""A run in the formats of others: each is valid by its own published schema or reader, and says the run's numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_run import failed, psnr_records, run_info, timing, write_run
from typer.testing import CliRunner

import vibench
from vibench.cli.app import app
from vibench.errors import InputError
from vibench.regress.finding import Measured, Regression
from vibench.regress.text import regression_text
from vibench.results.store import Store

SCHEMAS = Path(__file__).parents[1] / "golden" / "schemas"
METHODS = ["telea", 'vinet[weights="a, b"]', "dead"]
CASES = [f"clip{k}/square" for k in range(7)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods with seven clips, of which one failed with letters that XML refuses, and one that never ran."""
    info = run_info(METHODS, CASES)
    store = Store.create(tmp_path_factory.mktemp("published"), info)
    scores = {method: {case: [30.0 + k + place] for k, case in enumerate(CASES)} for place, method in
              enumerate(METHODS[:2])}  # fmt: skip
    for k, record in enumerate(psnr_records(info, scores)):
        if (record.method, record.case) == ("telea", CASES[0]):
            store.keep(failed(info, "telea", CASES[0], "died <here> & \x1b[31m there"))
        else:
            store.keep(record.model_copy(update={"timing": timing(0.5 + 0.01 * k, 10)}))
    return store.folder


def row(run: Path, method: str) -> dict[str, Any]:
    table = vibench.open_run(run).table()
    found: dict[str, Any] = table[table.method == method].iloc[0].to_dict()
    return found


def texts(run: Path, format: str, **told: str) -> dict[str, str]:
    return vibench.published_texts(run, format, **told)


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


def test_hugging_face_reads_its_entries(run: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    written = texts(run, "hugging-face", dataset="me/video", source_url="https://example.org/run", organization="me")
    assert len(written) == 3 and all(name.endswith(".yaml") for name in written)
    entries = yaml.safe_load(written["telea.yaml"])
    (read,) = hub.parse_eval_result_entries(entries)
    assert (read.dataset_id, read.task_id, read.source_org) == ("me/video", "psnr-frame", "me")
    assert read.value == row(run, "telea")["mean"]
    assert hub.eval_result_entries_to_yaml([read]) == entries
    assert "6 clips" in read.notes and "small@1" in read.notes
    assert yaml.safe_load(written["dead.yaml"]) == []


@pytest.mark.parametrize("dataset", ["", "video", "a/b/c"])
def test_hugging_face_needs_the_name_of_a_benchmark(run: Path, dataset: str) -> None:
    with pytest.raises(InputError, match="--dataset OWNER/NAME"):
        texts(run, "hugging-face", dataset=dataset)


def test_every_eval_ever_is_valid_by_its_schema(run: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema")
    written = texts(run, "every-eval-ever", organization="me")
    assert len(written) == 3
    for text in written.values():
        jsonschema.validate(json.loads(text), schema("every_eval_ever.schema.json"))
    (result,) = json.loads(written["telea.json"])["evaluation_results"]
    known, scored = row(run, "telea"), result["score_details"]
    assert scored["score"] == known["mean"]
    interval = scored["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"]) == (known["low"], known["high"])
    assert result["metric_config"]["lower_is_better"] is False


def test_bencher_is_valid_by_its_schema(run: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema")
    (text,) = texts(run, "bencher").values()
    found = json.loads(text)
    jsonschema.validate(found, schema("bencher.schema.json"))
    measures = found["small@1 telea"]
    known = row(run, "telea")
    assert measures["psnr/frame"] == {
        "value": known["mean"], "lower_value": known["low"], "upper_value": known["high"]
    }  # fmt: skip
    assert 15 < measures["throughput"]["value"] < 20 and all(len(name) <= 64 for name in measures)
    assert "small@1 dead" not in found


def test_pytest_benchmark_compares_its_file_and_means_the_same_by_it(run: Path, tmp_path: Path) -> None:
    stats = pytest.importorskip("pytest_benchmark.stats", reason="needs pytest-benchmark")
    (path,) = vibench.publish(run, "pytest-benchmark", tmp_path)
    for told in (found := json.loads(path.read_text()))["benchmarks"]:
        theirs = stats.Stats()
        for seconds in told["stats"]["data"]:
            theirs.update(seconds)
        assert set(theirs.as_dict()) <= set(told["stats"])
        for name in ("min", "max", "mean", "stddev", "rounds", "median", "ops", "total", "stddev_outliers"):
            assert told["stats"][name] == pytest.approx(getattr(theirs, name)), name
    assert [told["name"] for told in found["benchmarks"]] == METHODS[:2]
    command = [sys.executable, "-m", "pytest_benchmark", "compare", str(path), "--sort=name"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "telea" in done.stdout and "2 tests" in done.stdout


def test_junit_is_valid_by_jenkins_schema_and_counts_failures_and_what_was_not_run(run: Path) -> None:
    xmlschema = pytest.importorskip("xmlschema", reason="needs xmlschema")
    (text,) = texts(run, "junit").values()
    validator = xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd"))
    validator.validate(text)
    suites = validator.to_dict(text)["testsuite"]
    counts = [(suite["@name"], suite["@tests"], suite["@failures"], suite["@skipped"]) for suite in suites]
    assert counts == [("telea", "7", "1", "0"), (METHODS[1], "7", "0", "0"), ("dead", "7", "0", "7")]
    assert "died &lt;here&gt; &amp; \\x1b[31m there" in text


def test_regress_writes_valid_junit_too() -> None:
    xmlschema = pytest.importorskip("xmlschema", reason="needs xmlschema")
    found = Regression("telea", "v1", (Measured("quality", "worse"), Measured("peak memory", "unclear")))
    xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate(regression_text([found], "junit"))


def test_the_command_writes_a_folder_or_prints_one_file(run: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    printed = runner.invoke(app, ["publish", str(run), "--format", "bencher"])
    assert printed.exit_code == 0 and json.loads(printed.stdout) == json.loads(texts(run, "bencher")["bencher.json"])
    several = runner.invoke(app, ["publish", str(run), "--format", "every-eval-ever"])
    assert isinstance(several.exception, InputError) and "--output" in str(several.exception)
    written = runner.invoke(app, ["publish", str(run), "--format", "every-eval-ever", "-o", str(tmp_path / "out")])
    assert written.exit_code == 0 and len(list((tmp_path / "out").iterdir())) == 3
    with pytest.raises(InputError, match="--format is hugging-face, every-eval-ever, bencher"):
        texts(run, "xml")


def test_a_whole_run_with_several_regions_can_be_published_in_every_format(tmp_path: Path) -> None:
    folder = write_run(tmp_path, ["a", "b"], ["x", "y"]).folder
    for format in ("hugging-face", "every-eval-ever", "bencher", "pytest-benchmark", "junit"):
        assert texts(folder, format, dataset="me/video")
    assert set(json.loads(texts(folder, "bencher")["bencher.json"])["small@1 a"]) >= {"psnr/hole", "throughput"}
