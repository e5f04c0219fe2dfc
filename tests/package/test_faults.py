"""What a machine does to a run: a disk that fills up, and a second process in the same folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_protocol import small_protocol


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    for name in ("ant", "bee", "cow", "dog"):
        (tmp_path / "clips" / name).mkdir(parents=True)
        for frame in range(6):
            noise = np.random.default_rng(frame).integers(0, 256, (128, 160, 3), np.uint8)  # takes 60 kB a frame
            cv2.imwrite(str(tmp_path / "clips" / name / f"{frame}.png"), noise)
    path = tmp_path / "faults.toml"
    path.write_text(small_protocol("faults", tmp_path / "clips"))
    return path


def command(protocol: Path, output: Path) -> list[str]:
    words = ["run", "--protocol", protocol, "--methods", "telea,identity", "--output", output]
    return [sys.executable, "-m", "vibench", *map(str, words)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_full_disk_is_one_sentence_and_the_store_continues_once_there_is_room(
    protocol: Path, small_disk: Path
) -> None:
    stopped = subprocess.run(command(protocol, small_disk), capture_output=True, text=True, check=False)
    assert stopped.returncode == 2
    assert "no space left" in stopped.stderr and "same command again" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    for record in small_disk.glob("*/records/*/*.json"):
        json.loads(record.read_text())

    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    done = subprocess.run(command(protocol, small_disk), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder,) = small_disk.iterdir()
    assert len(list(folder.glob("records/*/*.json"))) == 8
    assert not list(folder.rglob("*.partial*"))


def test_a_second_run_in_the_same_folder_waits_and_says_so(protocol: Path, tmp_path: Path) -> None:
    import filelock

    first = subprocess.run(command(protocol, tmp_path / "out"), capture_output=True, text=True, check=True)
    assert "8 of 8 records to make" in first.stderr
    (folder,) = (tmp_path / "out").iterdir()
    next(folder.glob("records/telea/*.json")).unlink()
    with filelock.FileLock(folder / ".lock"):
        second = subprocess.Popen(command(protocol, tmp_path / "out"), stderr=subprocess.PIPE, text=True)
        assert second.stderr is not None
        assert "another vibench process is working" in second.stderr.readline()
        time.sleep(0.5)
        assert second.poll() is None, "it did not wait"
        assert len(list(folder.glob("records/*/*.json"))) == 7
    _, rest = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "1 of 8 records to make" in rest
    assert len(list(folder.glob("records/*/*.json"))) == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX signals")
def test_ctrl_c_ends_with_130_and_the_same_command_continues(protocol: Path, tmp_path: Path) -> None:
    import signal

    slow = [*command(protocol, tmp_path / "out")]
    slow[slow.index("telea,identity")] = "biharmonic"
    # A shell that started the tests in the background has Ctrl-C ignored by all its children; a handler ends that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        running = subprocess.Popen(slow, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("[1/"):
            break
    running.send_signal(signal.SIGINT)
    _, rest = running.communicate(timeout=60)
    assert running.returncode == 130, rest
    assert "same command continues" in rest and "Traceback" not in rest
    again = subprocess.run(slow, capture_output=True, text=True, check=True)
    assert " of 4 records to make" in again.stderr and "4 of 4" not in again.stderr
