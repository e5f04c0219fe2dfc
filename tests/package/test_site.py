"""The site builds strictly: no broken link, every public name, command, metric, protocol and data set on a page."""

from __future__ import annotations

import subprocess
import sys
from html import unescape
from importlib.util import find_spec
from pathlib import Path

import pytest

import vibench

CHECKOUT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="needs a checkout, not a wheel"),
    pytest.mark.skipif(find_spec("mkdocs") is None, reason="needs mkdocs: pip install '.[docs]'"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def shown(site: Path, page: str) -> str:
    return unescape((site / "reference" / page / "index.html").read_text(encoding="utf-8"))


def test_everything_public_has_its_place(site: Path) -> None:
    page = shown(site, "python")
    assert [name for name in vibench.__all__ if f'.{name}"' not in page] == []
    for kind in ("methods", "metrics", "protocols"):
        page = shown(site, kind)
        assert [one.name for one in getattr(vibench, f"list_{kind}")() if f"{one.name}<" not in page] == []
    assert "vibench study score<" in shown(site, "commands") and "vinet explain<" in shown(site, "commands")
    assert "davis-2016" in shown(site, "datasets")


def test_tutorials_show_the_scripts_that_tests_run(site: Path) -> None:
    page = (site / "tutorials" / "index.html").read_text(encoding="utf-8")
    assert "--8" not in page and page.count("<pre") >= 8
    for example in (CHECKOUT / "docs" / "examples").glob("*.py"):
        assert example.read_text(encoding="utf-8").partition("\n")[0].strip('"') in unescape(page), example.name
