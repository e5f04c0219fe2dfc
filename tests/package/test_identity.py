"""A digest belongs to the code that a factory reaches: an edit of that code changes it, and no other edit does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vibench import plugins

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (CHECKOUT / "pyproject.toml").exists(), reason="needs a checkout, not a wheel")

VINET, FRAME, TELEA, DISK = "vinet.method", "baselines.frame_baseline", "baselines.telea", "baselines.from_disk"


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the methods' code that stands before the checkout on the path."""
    folder = tmp_path_factory.mktemp("code")
    for package in ("vinet", "baselines"):
        files = shutil.ignore_patterns("*.safetensors", "__pycache__")
        shutil.copytree(CHECKOUT / package, folder / package, ignore=files)
    return folder


def digests(folder: Path, *modules: str) -> dict[str, str]:
    """Of the code in ``folder``, found by a process of its own."""
    probe = "import sys; from vibench.plugins import code_digest\nfor name in sys.argv[1:]: print(code_digest(name))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(CHECKOUT)])}
    command = [sys.executable, "-c", probe, *modules]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=folder)
    return dict(zip(modules, found.stdout.split(), strict=True))


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("vinet/network/decoder.py", {VINET, FRAME}),
        ("vinet/network/memory.py", {VINET, FRAME}),
        ("vinet/inference.py", {VINET}),
        ("vinet/winograd.py", {VINET}),
        ("vinet/training/trainer.py", set()),
        ("vinet/training/scenes/synthetic.py", set()),
        ("vinet/explain.py", set()),
        ("baselines/from_disk.py", {DISK}),
        ("baselines/telea.py", {TELEA}),
        ("baselines/frame_baseline.py", {FRAME}),
    ],
)
def test_an_edit_changes_the_digests_of_those_that_reach_it_and_of_no_other(
    code: Path, edited: str, changed: set[str]
) -> None:
    before = digests(code, VINET, FRAME, TELEA, DISK)
    file = code / edited
    kept = file.read_bytes()
    try:
        file.write_bytes(kept + b"\n# another word\n")
        after = digests(code, VINET, FRAME, TELEA, DISK)
    finally:
        file.write_bytes(kept)
    assert {name for name in before if after[name] != before[name]} == changed


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's package: a method, a helper that it imports inside a function, and two modules that it does not need."""
    files = {
        "mine/__init__.py": "",
        "mine/method.py": "from typing import TYPE_CHECKING\nimport json, numpy, vibench.clip\n"
        "if TYPE_CHECKING:\n    from mine import types_only\n"
        "def make():\n    from .inner import helper\n    return helper\n",
        "mine/inner/__init__.py": "",
        "mine/inner/helper.py": "import importlib\nhidden = importlib.import_module('mine.by_name')\nimport beside\n",
        "mine/by_name.py": "",
        "mine/types_only.py": "",
        "mine/unused.py": "",
        "beside.py": "",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    plugins._is_installed.cache_clear()
    return tmp_path


def test_a_users_method_counts_with_all_that_it_reaches_and_nothing_installed(own: Path) -> None:
    found = plugins.reached_modules("mine.method")
    assert set(found) == {"mine", "mine.method", "mine.inner", "mine.inner.helper", "mine.by_name", "beside"}
    assert not {"mine", "beside"} & set(sys.modules), "nothing may be imported to find this out"


@pytest.mark.parametrize(
    ("edited", "changes"),
    [
        ("mine/inner/helper.py", True), ("mine/by_name.py", True), ("beside.py", True), ("mine/__init__.py", True),
        ("mine/unused.py", False), ("mine/types_only.py", False),
    ],
)  # fmt: skip
def test_an_edited_helper_makes_another_method(own: Path, edited: str, changes: bool) -> None:
    before = plugins.code_digest("mine.method")
    with (own / edited).open("a") as file:
        file.write("# edited\n")
    assert (plugins.code_digest("mine.method") != before) is changes


def test_of_an_installed_plugin_its_whole_distribution_counts_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    files = {
        "plug/__init__.py": "import plug_helpers, stranger",
        "plug_helpers.py": "",
        "stranger.py": "",
        "plug-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n",
        "plug-1.0.dist-info/top_level.txt": "plug\nplug_helpers\n",
        "plug-1.0.dist-info/RECORD": "plug/__init__.py,,\nplug_helpers.py,,\n",
        "stranger-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n",
        "stranger-1.0.dist-info/top_level.txt": "stranger\n",
    }
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content)
    monkeypatch.syspath_prepend(site)
    for kept in (plugins._is_installed, plugins._packages_beside):
        kept.cache_clear()
    assert set(plugins.reached_modules("plug")) == {"plug", "plug_helpers"}


def test_a_factory_without_a_file_counts_by_its_text() -> None:
    space: dict[str, object] = {"__name__": "a_notebook"}
    exec("def fill(holed):\n    return holed.frames", space)  # noqa: S102 - as a notebook does
    with pytest.raises(plugins.InputError, match="the source of a_notebook:fill cannot be read"):
        plugins.source_digest(space["fill"])  # type: ignore[arg-type]


def test_a_metric_of_vibench_counts_with_the_modules_that_it_reaches() -> None:
    reached = set(plugins.reached_modules("vibench.metrics.warping_error"))
    assert {"vibench.metrics.warping_error", "vibench.metrics.flow.motion", "vibench.metrics.flow.sources"} <= reached
    assert not {"vibench.clip", "vibench.metric", "vibench.metrics.lpips", "vibench.results.table"} & reached
