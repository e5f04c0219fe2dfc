"""The files by which other sites know the project say what the package says."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

import vibench

ROOT = Path(__file__).parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_the_citation_has_the_packages_version_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and citation["title"] and citation["authors"]
    assert (citation["version"], citation["license"]) == (vibench.__version__, project["license"])


@pytest.mark.parametrize("path", [form for form in FORMS if form.name != "config.yml"], ids=lambda path: path.stem)
def test_an_issue_form_is_one_and_reports_of_faults_ask_for_the_doctor(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert form["name"] and form["description"]
    fields = {field["id"]: field for field in form["body"]}
    assert all(field["attributes"]["label"] for field in fields.values())
    if path.stem != "wish":
        assert "vibench doctor" in fields["doctor"]["attributes"]["label"]
        assert fields["doctor"]["validations"]["required"] is True
