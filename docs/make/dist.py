"""Build the sdist and, from it, the wheel, twice, and keep them where both are equal to the byte.

Usage: ``python docs/make/dist.py FOLDER``. The time in the archives is that of the last commit (SOURCE_DATE_EPOCH), so
that anybody who checks it out builds the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def build(folder: Path) -> dict[str, str]:
    """Build both archives into ``folder``; name -> sha256."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or _output("git", "log", "-1", "--format=%ct")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    subprocess.run(command, env={**os.environ, "SOURCE_DATE_EPOCH": seconds}, check=True, stdout=subprocess.DEVNULL)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.strip()


def main(output: Path) -> None:
    """Build twice, compare, keep."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        made, again = build(Path(first)), build(Path(second))
        if made != again:
            raise SystemExit(f"two builds of one commit differ: {made} and {again}")
        output.mkdir(parents=True, exist_ok=True)
        for name, sha256 in made.items():
            shutil.copy(Path(first) / name, output / name)
            print(f"{sha256}  {output / name}  {(output / name).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
