"""Markdown is read in editors and diffs too: its lines are short, and the paths and links that it names exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="needs a checkout, not a wheel")

TRACKED = subprocess.run(
    ["git", "-C", str(CHECKOUT), "ls-files", "--cached", "--others", "--exclude-standard"],
    capture_output=True, text=True, check=False,
).stdout.splitlines()  # fmt: skip
PAGES = [path for path in TRACKED if path.endswith(".md") and (CHECKOUT / path).exists()]


@pytest.mark.parametrize("path", PAGES)
def test_lines_have_at_most_120_columns(path: str) -> None:
    """Rows of tables are excepted, and lines that a single long link fills."""
    lines = enumerate((CHECKOUT / path).read_text(encoding="utf-8").splitlines(), 1)
    assert [
        number for number, line in lines if len(line) > 120 and not line.startswith("|") and " " in line.strip()
    ] == []


@pytest.mark.parametrize("path", PAGES)
def test_links_lead_to_files(path: str) -> None:
    text = (CHECKOUT / path).read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not ((CHECKOUT / path).parent / target).exists()] == []


@pytest.mark.parametrize("path", [path for path in PAGES if path != "CHANGELOG.md"])
def test_paths_in_the_text_exist(path: str) -> None:
    """The changelog is history; names in capitals and my_something stand for what the reader writes."""
    text = (CHECKOUT / path).read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w./-])((?:vibench|vinet|baselines|datasets|reports|docs|tests)/[\w./@-]*\w)", text)
    gone = {name for name in named if not (CHECKOUT / name).exists() and not re.search(r"[A-Z]{3}|my[_-]", name)}
    # "vinet/table2" is a table of reports/tables, and the wheel has folders of its own.
    assert {
        n for n in gone if not (CHECKOUT / "reports" / "tables" / f"{n}.toml").exists() and "/_data" not in n
    } == set()
