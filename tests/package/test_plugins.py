"""Packages from outside add a method, a metric and a mask by their entry points.

``tests/plugin`` imports from the door; ``tests/plugin_fixed`` only from the six modules that never move.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

TESTS = Path(__file__).parents[1]
FIXED = {f"vibench.{name}" for name in ("clip", "errors", "method", "metric", "plugins", "protocol")}
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
generator = "MASK"
options = {width_px = 20}
[scoring]
metrics = ["psnr", "METRIC"]
"""


class Package(NamedTuple):
    """A package from outside, and what it adds."""

    folder: str
    method: str
    metric: str
    mask: str


PACKAGES = (
    Package("plugin", "example-mean", "example-brightness", "example-stripe"),
    Package("plugin_fixed", "fixed-blend", "fixed-contrast", "fixed-bar"),
)


@pytest.fixture(scope="module", params=PACKAGES, ids=lambda package: package.folder)
def package(request: pytest.FixtureRequest) -> Package:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def site(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed by pip, without a network."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(TESTS / package.folder, folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder / "packages"), str(folder / "source")], check=True)
    return folder / "packages"


def vibench(package: Package, site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "stripes.toml").write_text(PROTOCOL.replace("MASK", package.mask).replace("METRIC", package.metric))
    environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200"}
    command = [sys.executable, "-m", "vibench", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_its_method_metric_and_mask_take_part_in_a_run(package: Package, site: Path, tmp_path: Path) -> None:
    methods = f"{package.method},{package.method}[gain=0.5]"
    ran = vibench(package, site, tmp_path, "run", "-p", "stripes.toml", "-m", methods, "--limit", "1", "-o", "out")
    assert ran.returncode == 0, ran.stderr
    assert f"{package.method}[gain=0.5]" in ran.stdout and package.metric in ran.stdout
    records = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*/records/*/*.json")]
    assert len(records) == 2
    for record in records:
        assert record["hole_fraction"] == pytest.approx(20 / record["width"])
        values = record["metrics"][package.metric]["frame"]
        assert len(values) == 3 and all(np.isfinite(values))
    whole, half = sorted(records, key=lambda record: len(record["method"]))
    assert np.mean(whole["metrics"]["psnr"]["hole"]) != np.mean(half["metrics"]["psnr"]["hole"])


@pytest.mark.parametrize("kind", ["methods", "metrics", "masks"])
def test_it_is_listed_with_its_first_line(package: Package, site: Path, tmp_path: Path, kind: str) -> None:
    name = getattr(package, kind.removesuffix("s"))
    listed = vibench(package, site, tmp_path, "list", kind)
    assert listed.returncode == 0, listed.stderr
    (line,) = [line for line in listed.stdout.splitlines() if line.startswith(f"{name} ")]
    assert len(line.split(maxsplit=1)[1]) > 10


def test_the_second_package_knows_six_modules_and_no_other() -> None:
    imported = set()
    for file in (TESTS / "plugin_fixed").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    assert {name for name in imported if name and name.partition(".")[0] == "vibench"} == FIXED


@pytest.mark.parametrize("package", PACKAGES[:1], indirect=True, ids=lambda package: package.folder)
def test_an_entry_point_that_leads_nowhere_harms_nobody_else_and_says_what_is_wrong(
    package: Package, site: Path, tmp_path: Path
) -> None:
    listed = vibench(package, site, tmp_path, "list", "methods")
    assert listed.returncode == 0 and "telea" in listed.stdout and "example-broken" in listed.stdout
    ran = vibench(package, site, tmp_path, "run", "-m", "example-broken", "-p", "stripes.toml")
    assert ran.returncode == 2
    assert ran.stderr.strip().splitlines() == [
        "Error: 'example-broken': there is no module 'vibench_example.absent' on the Python path"
    ]


@pytest.mark.parametrize("package", PACKAGES[:1], indirect=True, ids=lambda package: package.folder)
def test_its_protocol_is_used_by_name_and_a_package_that_is_gone_is_passed_over_aloud(
    package: Package, site: Path, tmp_path: Path
) -> None:
    listed = vibench(package, site, tmp_path, "list", "protocols")
    assert listed.returncode == 0 and "example-stripes@1" in listed.stdout and "bundled@1" in listed.stdout
    assert "the definitions of example-gone are passed over" in listed.stderr
    ran = vibench(package, site, tmp_path, "run", "-m", "telea", "-p", "example-stripes", "--limit", "1", "-o", "out")
    assert ran.returncode == 0, ran.stderr
