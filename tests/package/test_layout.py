"""What the package promises about its own shape: who imports whom, what is public, what is in the wheel."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import vibench

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (CHECKOUT / "pyproject.toml").exists(), reason="needs a checkout, not a wheel")


def imported(file: Path) -> set[str]:
    """Top-level packages that ``file`` imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


def test_the_harness_knows_no_method() -> None:
    guilty = [str(file) for file in (CHECKOUT / "vibench").rglob("*.py") if imported(file) & {"vinet", "baselines"}]
    assert guilty == []


def test_only_the_method_and_its_commands_know_that_vibench_exists() -> None:
    knowing = {file.name for file in (CHECKOUT / "vinet").rglob("*.py") if "vibench" in imported(file)}
    assert knowing <= {"method.py", "cli.py"}


def test_no_baseline_imports_another() -> None:
    names = {file.stem for file in (CHECKOUT / "baselines").glob("*.py")}
    for file in (CHECKOUT / "baselines").glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        assert not {module for module in modules if module.removeprefix("baselines.") in names - {file.stem}
                    and module.startswith("baselines.")}  # fmt: skip


def test_public_names_are_sorted_and_all_there() -> None:
    assert vibench.__all__ == sorted(vibench.__all__)
    homes = [name for names in vibench._HOMES.values() for name in names]
    assert sorted(homes) == vibench.__all__
    assert all(getattr(vibench, name).__name__ == name for name in vibench.__all__)


def test_data_folders_hold_no_python() -> None:
    assert [*(CHECKOUT / "datasets").rglob("*.py"), *(CHECKOUT / "reports").rglob("*.py")] == []


def test_the_command_line_answers_before_torch_is_imported() -> None:
    probe = "import sys, vibench.cli.app; print(sorted({'torch', 'numpy', 'pandas', 'cv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_what_the_package_reads_at_run_time(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "-C", str(CHECKOUT), "ls-files", "vibench", "vinet", "baselines", "datasets", "reports"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    moved = {"datasets/": "vibench/_data/datasets/", "reports/": "vibench/_data/reports/"}
    for path in tracked:
        expected = path
        for old, new in moved.items():
            if path.startswith(old):
                expected = new + path.removeprefix(old)
        assert expected in inside, f"{path} is not in the wheel"
    assert not [name for name in inside if name.startswith(("tests/", "results", "shared/"))]


def test_an_installed_wheel_runs_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    """Unpacked beside nothing else of the checkout, the command lists its protocols and finds its bundled data."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    probe = (
        "import vibench, sys; assert vibench.__file__.startswith(sys.argv[1]), vibench.__file__\n"
        "from vibench.files import bundled; from vibench.protocol import bundled_protocols\n"
        "assert bundled('datasets').is_relative_to(sys.argv[1])\n"
        "print(len(bundled_protocols()))"
    )
    ran = subprocess.run([sys.executable, "-c", probe, str(site)], capture_output=True, text=True, cwd=tmp_path,
                         env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"}, check=True)  # fmt: skip
    assert int(ran.stdout) >= 3


def test_entry_points_lead_somewhere() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    for group in project["entry-points"].values():
        for target in group.values():
            module, _, attribute = target.partition(":")
            tree = ast.parse(_source(module).read_text(encoding="utf-8"))
            assert attribute in _top_level_names(tree), f"{target} names nothing"


def _source(module: str) -> Path:
    path = CHECKOUT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _top_level_names(tree: ast.Module) -> set[str]:
    names = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names
