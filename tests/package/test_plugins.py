"""A package from outside adds a method, a metric and a mask by its entry points; `tests/plugin` is that package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PLUGIN = Path(__file__).parents[1] / "plugin"
PROTOCOL = """
name = "stripes"
version = 1
title = "Stripes"
description = "A protocol that uses a mask generator of another package."
seed = 4
[data]
dataset = "bundled"
frames = 3
[[holes]]
name = "stripe"
generator = "example-stripe"
options = {width_px = 20}
[scoring]
metrics = ["psnr", "example-brightness"]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed by pip, without a network."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(PLUGIN, folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder / "packages"), str(folder / "source")], check=True)
    return folder / "packages"


def vibench(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "stripes.toml").write_text(PROTOCOL)
    environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200"}
    command = [sys.executable, "-m", "vibench", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_its_method_metric_and_mask_take_part_in_a_run(site: Path, tmp_path: Path) -> None:
    words = ("run", "-p", "stripes.toml", "-m", "example-mean,example-mean[gain=0.5]", "--limit", "1", "-o", "out")
    ran = vibench(site, tmp_path, *words)
    assert ran.returncode == 0, ran.stderr
    assert "example-mean[gain=0.5]" in ran.stdout and "example-brightness" in ran.stdout
    records = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*/records/*/*.json")]
    assert len(records) == 2
    for record in records:
        assert record["hole_fraction"] == pytest.approx(20 / record["width"])
        values = record["metrics"]["example-brightness"]["frame"]
        assert len(values) == 3 and all(np.isfinite(values))
    whole, half = sorted(records, key=lambda record: len(record["method"]))
    assert np.mean(whole["metrics"]["psnr"]["hole"]) != np.mean(half["metrics"]["psnr"]["hole"])


@pytest.mark.parametrize(
    ("kind", "name"), [("methods", "example-mean"), ("metrics", "example-brightness"), ("masks", "example-stripe")]
)
def test_it_is_listed_with_its_first_line(site: Path, tmp_path: Path, kind: str, name: str) -> None:
    listed = vibench(site, tmp_path, "list", kind)
    assert listed.returncode == 0, listed.stderr
    (line,) = [line for line in listed.stdout.splitlines() if line.startswith(f"{name} ")]
    assert len(line.split(maxsplit=1)[1]) > 10


def test_an_entry_point_that_leads_nowhere_harms_nobody_else_and_says_what_is_wrong(site: Path, tmp_path: Path) -> None:
    listed = vibench(site, tmp_path, "list", "methods")
    assert listed.returncode == 0 and "telea" in listed.stdout and "example-broken" in listed.stdout
    ran = vibench(site, tmp_path, "run", "-m", "example-broken", "-p", "stripes.toml")
    assert ran.returncode == 2
    assert ran.stderr.strip().splitlines() == [
        "Error: 'example-broken': there is no module 'vibench_example.absent' on the Python path"
    ]
