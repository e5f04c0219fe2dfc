"""Damaged runs: every kind of damage in a run's folder, and five commands that must end in a sentence over it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mutate import mutated

SECONDS = 120.0
FINE = {"compare": (0, 1, 2, 3), "run": (0, 2, 3, 4)}
"""Exit statuses that a command may have: 1 says that something is worse, 3 that nothing or not all was done, and 4 that
a method failed, as a record may say too."""

Damage = Callable[[Path], None]
DAMAGE: dict[str, Damage] = {}


def damage(name: str) -> Callable[[Damage], Damage]:
    def add(function: Damage) -> Damage:
        DAMAGE[name] = function
        return function

    return add


def changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def record_of(run: Path) -> Path:
    return next(run.glob("records/telea/*.json"))


def on(pattern: str, do: Callable[[Path], None]) -> Damage:
    def harm(run: Path) -> None:
        do(next(run.glob(pattern)))

    return harm


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def to_noise(path: Path) -> None:
    path.write_bytes(os.urandom(3000))


def huge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(200 * 2**20)


def deep(path: Path) -> None:
    path.write_bytes(b"[" * 100_000)


def as_later(path: Path) -> None:
    changed(path, schema=2, carbon=1)


PARTS = {
    "run.json": "run.json",
    "a record": "records/telea/*.json",
    "kept frames": "frames/telea/*.mkv",
    "kept holes": "cases/*.holes.npz",
    "kept input": "cases/*.mkv",
}
HARMS: dict[str, Callable[[Path], None]] = {
    "is empty": emptied, "is half": halved, "is gone": Path.unlink, "is a folder": to_folder, "is a pipe": to_pipe,
    "is a loop of links": to_loop, "is noise": to_noise, "is huge": huge,
}  # fmt: skip
for part, pattern in PARTS.items():
    for name, harm in HARMS.items():
        DAMAGE[f"{part} {name}"] = on(pattern, harm)
for part in ("run.json", "a record"):
    DAMAGE[f"{part} is nested without end"] = on(PARTS[part], deep)
    DAMAGE[f"{part} is of a later version"] = on(PARTS[part], as_later)

for what, value in {"NaN": float("nan"), "infinity": float("inf"), "a size below 0": -5}.items():
    DAMAGE[f"a record holds {what}"] = on(
        PARTS["a record"],
        lambda path, value=value: (
            changed(path, frames=value)
            if value == -5
            else changed(path, metrics={"psnr": {"frame": [value] * 6, "hole": [1.0] * 6}})
        ),
    )


@damage("a record is copied to another place")
def copied(run: Path) -> None:
    shutil.copy(record_of(run), record_of(run).with_name("copy.json"))


@damage("a record stands under another method")
def swapped(run: Path) -> None:
    shutil.copytree(run / "records" / "identity", run / "records" / "telea", dirs_exist_ok=True)


@damage("frames of another method")
def other_frames(run: Path) -> None:
    shutil.copytree(run / "frames" / "identity", run / "frames" / "telea", dirs_exist_ok=True)


@damage("a record is of another run")
def stranger(run: Path) -> None:
    changed(record_of(run), run="e" * 64)


@damage("a record has control characters and a surrogate")
def steered(run: Path) -> None:
    path = record_of(run)
    path.write_text(path.read_text().replace('"ant/', '"\\u001b[31mant\\n/', 1))
    path.with_name("other.json").write_text('{"method": "\\ud800"}')


@damage("a failure of many lines that steers the terminal")
def failure(run: Path) -> None:
    changed(record_of(run), status="failed", failure={"kind": "error", "message": "\x1b[2Jone\ntwo\r\x07" * 30})


@damage("run.json with a byte order mark")
def marked(run: Path) -> None:
    (run / "run.json").write_bytes(b"\xef\xbb\xbf" + (run / "run.json").read_bytes())


@damage("run.json without methods and cases")
def nothing(run: Path) -> None:
    changed(run / "run.json", methods=[], cases=[])


@damage("run.json with another protocol")
def other_protocol(run: Path) -> None:
    changed(run / "run.json", protocol={"scoring": 3, "holes": "none", "repeats": "x"})


@damage("records is a file")
def no_records(run: Path) -> None:
    shutil.rmtree(run / "records")
    (run / "records").write_text("")


@damage("the lock is a folder")
def locked(run: Path) -> None:
    (run / ".lock").unlink(missing_ok=True)
    (run / ".lock").mkdir()


@damage("names that are no UTF-8, and a folder that looks half-written")
def other_names(run: Path) -> None:
    Path(os.fsdecode(os.fsencode(run / "records" / "telea") + b"/caf\xe9.json")).write_text("{}")
    (run / "records" / ".telea.partial.json").mkdir()


@damage("everything is gone but records")
def only_records(run: Path) -> None:
    shutil.rmtree(run / "cases")
    shutil.rmtree(run / "frames")


for seed in range(10):
    for part, pattern in PARTS.items():
        DAMAGE[f"{part} is mutated, {seed}"] = on(
            pattern,
            lambda path, seed=seed, part=part: path.write_bytes(
                mutated(path.read_bytes(), f"store {part}", seed, text=path.suffix == ".json")[1]
            ),
        )


def sound_run(folder: Path) -> Path:
    """A finished run of two methods on two clips, made by the product itself."""
    import numpy as np
    from PIL import Image

    for clip in ("ant", "bee"):
        (folder / "clips" / clip).mkdir(parents=True)
        for t, frame in enumerate(np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)):
            Image.fromarray(frame).save(folder / "clips" / clip / f"{t}.png")
    (folder / "p.toml").write_text(
        f'name="tiny"\nversion=1\ntitle="t"\ndescription="d"\nseed=1\n[data]\ndataset="folder:{folder}/clips"\n'
        '[[holes]]\nname="square"\ngenerator="stationary-square"\n[scoring]\nmetrics=["psnr"]\n'
    )
    status, _, told = command(folder, *run_words(folder, folder / "sound"))
    if status:
        raise SystemExit(f"no run can be made: {told}")
    return next((folder / "sound").iterdir())


def run_words(folder: Path, output: Path) -> list[str]:
    return ["run", "-p", str(folder / "p.toml"), "-m", "telea,identity", "-o", str(output)]


def command(folder: Path, *words: str) -> tuple[int | str, str, str]:
    """Run one command in a forked child, which has everything imported: status, standard output, standard error."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.setsid()
            os.chdir(folder)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            _become(list(words))
        end = time.monotonic() + SECONDS
        while not (waited := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return "hang", "", ""
            time.sleep(0.02)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
        return os.waitstatus_to_exitcode(waited[1]), texts[0], texts[1]


def _become(words: list[str]) -> None:
    """Be the command ``vibench`` and end with its exit status."""
    import traceback

    from vibench.cli import main

    sys.argv = ["vibench", *words]
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever comes is what is looked for
        traceback.print_exc()
        status = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def wrong(name: str, status: int | str, out: str, err: str) -> str | None:
    """Why the end of a command is no good end; None where it is one."""
    if status not in FINE.get(name, (0, 2, 3)):
        return f"status {status}: {err[-300:]!r}"
    if "Traceback" in err or "Traceback" in out:
        return f"a traceback: {err[-300:]!r}"
    lines = err.splitlines()
    if status == 2 and sum(line.startswith("Error: ") for line in lines) != 1:
        return f"no sentence: {err[-300:]!r}"
    if status == 2 and not lines[-1].startswith("Error: "):
        return f"several lines: {err[-300:]!r}"
    if any(not letter.isprintable() and letter != "\n" for letter in err + out):
        return f"characters that steer a terminal: {(out + err)[-300:]!r}"
    return None


def torture_stores(count: int, only: str = "") -> int:
    """Damage ``count`` runs, spread over the kinds of damage, and return how many commands ended badly."""
    import cv2
    import pandas  # noqa: F401
    import torch  # noqa: F401

    import vibench.report.page.folder
    import vibench.runner.run  # noqa: F401

    cv2.setNumThreads(1)
    names = [name for name in DAMAGE if only in name]
    chosen = names if count >= len(names) else [names[place * len(names) // count] for place in range(count)]
    faults = commands = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sound = sound_run(folder) if chosen else folder
        for number, name in enumerate(chosen):
            copy = folder / f"copy{number}"
            found = {}
            shutil.copytree(sound.parent, copy / "runs")
            (run,) = (copy / "runs").iterdir()
            DAMAGE[name](run)
            for words in (
                ["report", str(run), "-o", str(copy / "report")],
                ["compare", f"{run}::telea", f"{run}::identity"],
                ["list", "runs", "-o", str(copy / "runs")],
                ["score", str(run)],
                run_words(folder, copy / "runs"),
            ):
                ended = command(folder, *words)
                found[words[0]] = ended[0]
                commands += 1
                if (reason := wrong(words[0], *ended)) is not None:
                    faults += 1
                    print(f"FAULT {name}: {words[0]}: {reason}", flush=True)
            print(f"{name:<60} {'  '.join(f'{word} {status}' for word, status in found.items())}", flush=True)
            shutil.rmtree(copy)
    print(f"{len(chosen)} damaged runs, {commands} commands: {faults} ended badly")
    return faults
