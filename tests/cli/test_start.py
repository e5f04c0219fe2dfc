"""A command says all that is wrong with its words, paths and data at once, before torch is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vibench.files import bundled

PROBE = """
import sys
from vibench.cli import main
sys.argv = ["vibench", *sys.argv[1:]]
try:
    main()
finally:
    print("loaded:", *sorted({"torch", "scipy", "pandas"} & set(sys.modules)))
"""


def started(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROBE, *words], cwd=folder, capture_output=True, text=True, check=False
    )


FAULTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "run": (
        ("run", "-m", "tele,vinet[recurrence=flase,memroy=1]", "-p", "davis-object", "--data", "absent",
         "--metrics", "psnrr,seam", "--device", "tpu", "--predict-only", "--no-keep-frames"),
        ("did you mean 'telea'", "recurrence is 'flase'", "there is nothing at absent", "did you mean 'psnr'",
         "'tpu' is not a device", "would keep nothing"),
    ),
    "run without a protocol": (("run", "-m", "nope", "-p", "nope"), ("no method is called", "no protocol is called")),
    "cases": (("run", "-m", "telea", "--cases", "nothing"), ("no case of bundled@1 is left",)),
    "a mask": (
        ("inpaint", str(bundled("datasets") / "bundled" / "walker.mp4"), "--mask", "absent.png", "-o", "out.mp4",
         "--method", "telea[radius=3]"),
        ("telea has no option 'radius'", "there is no mask at absent.png"),
    ),
    "score": (("score", "absent", "--metrics", "psnrr"), ("did you mean 'psnr'", "'absent' is not a run")),
}  # fmt: skip


@pytest.mark.parametrize("what", FAULTS)
def test_all_faults_are_told_at_once_before_torch_is_imported(what: str, tmp_path: Path) -> None:
    words, sentences = FAULTS[what]
    ran = started(tmp_path, *words)
    assert ran.returncode == 2 and ran.stdout.splitlines()[-1] == "loaded:", ran.stdout + ran.stderr
    told = ran.stderr.splitlines()
    assert len(told) == len(sentences) and all(line.startswith("Error: ") for line in told), ran.stderr
    assert all(any(sentence in line for line in told) for sentence in sentences), ran.stderr
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("words", [("--help",), ("list", "methods"), ("list", "metrics"), ("list", "protocols")])
def test_help_and_lists_need_no_torch(words: tuple[str, ...], tmp_path: Path) -> None:
    ran = started(tmp_path, *words)
    assert ran.returncode == 0 and ran.stdout.splitlines()[-1] == "loaded:", ran.stdout + ran.stderr
