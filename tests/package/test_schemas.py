"""The schemas in the docs hold what vibench writes, and reject what it would reject."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from small_run import write_run

from vibench.protocol import FOLDER

jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema")
ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "run_of_13fb946"


def schema(name: str) -> Any:
    return json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


def test_a_run_of_today_and_one_of_an_early_version_are_valid(tmp_path: Path) -> None:
    for folder in (write_run(tmp_path, ["a", "b"], ["x"], fails=[("b", "x")]).folder, GOLDEN):
        jsonschema.validate(json.loads((folder / "run.json").read_text()), schema("run"))
        records = list((folder / "records").rglob("*.json"))
        assert records
        for path in records:
            jsonschema.validate(json.loads(path.read_text()), schema("record"))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_protocol_is_valid(path: Path) -> None:
    jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), schema("protocol"))


@pytest.mark.parametrize("change", [{"frames": "six"}, {"status": "done"}, {"further": 1}])
def test_what_vibench_does_not_read_is_not_valid(tmp_path: Path, change: dict[str, object]) -> None:
    path = next((write_run(tmp_path, ["a"], ["x"]).folder / "records").rglob("*.json"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(path.read_text()) | change, schema("record"))


def test_a_line_of_findings_is_valid(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from vibench.results.findings import KeptComparison, KeptFinding, append_findings

    found = KeptFinding(measure="quality", verdict="same", old=31.0, new=31.0, unit="dB", ratio=(1.0, None, 1.1))
    comparison = KeptComparison(
        method="a", old="last", commit=None, started=datetime(2026, 1, 1, tzinfo=UTC), machine={}, device="cpu",
        threads=1, probe="abc", clock="", versions={}, findings=(found,),
    )  # fmt: skip
    append_findings(tmp_path / "f.jsonl", [comparison])
    line = json.loads((tmp_path / "f.jsonl").read_text())
    jsonschema.validate(line, schema("findings"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line | {"clock": "sundial"}, schema("findings"))
