"""Archives for the package index: equal bytes from one commit, and nothing in them that does not belong."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="needs a checkout, not a wheel")


@pytest.mark.slow
def test_two_builds_of_a_commit_are_equal_and_pass_the_checks(tmp_path: Path) -> None:
    command = [sys.executable, str(CHECKOUT / "docs" / "make" / "dist.py"), str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    archives = sorted(str(path) for path in tmp_path.iterdir())
    assert [Path(path).suffix for path in archives] == [".whl", ".gz"]
    for checker, words in (("twine", ["check", "--strict", *archives]), ("check_wheel_contents", archives[:1])):
        if find_spec(checker) is None:
            pytest.skip(f"{checker} is not installed: pip install '.[release]'")
        subprocess.run([sys.executable, "-m", checker, *words], check=True, capture_output=True, cwd=CHECKOUT)


def test_a_release_is_tried_on_every_python_that_the_package_names() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    workflow = yaml.safe_load((CHECKOUT / ".github" / "workflows" / "release.yml").read_text())
    named = [name.rpartition(":: ")[2] for name in project["classifiers"] if ":: 3." in name]
    assert workflow["jobs"]["tried"]["strategy"]["matrix"]["python"] == named
    publish = workflow["jobs"]["publish"]
    assert publish["needs"] == "tried" and publish["permissions"] == {"id-token": "write"}
    assert not any("password" in str(step) for step in publish["steps"]), "the index trusts the workflow itself"
