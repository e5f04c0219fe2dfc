"""Hand the product damaged files and damaged runs, and count what comes: `make torture`, or `python torture.py --help`.

Each damaged file is read in a child process that may take so much memory and no more, and so many seconds. What is
read, and what is refused in one line, is fine. Everything else is a fault: another exception, a sentence of several
lines, a warning, another content than the sound file's where a checksum guards it, a hang, a crash.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parents[1])]

from formats import FORMATS, Format
from mutate import mutated

MEMORY_BYTES = 3 * 2**30
"""What a reader may take beyond what the process has after its imports."""
SECONDS = 20.0


def one_file(name: str, form: Format, path: Path, sound: bytes, expected: object, number: int) -> tuple[str, str]:
    """Damage the file, read it, put the sound one back: what came of it, and the sentence."""
    import numpy as np

    from vibench.errors import UserError
    from vinet.errors import VINetError

    how, damaged = mutated(sound, name, number, text=form.text)
    path.write_bytes(damaged)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = form.read(path)
    except (UserError, VINetError) as error:
        return _judged(str(error)), f"{how}: {error}"
    except BaseException as error:  # noqa: BLE001 - whatever comes is what is looked for
        return f"raised {type(error).__name__}", f"{how}: {type(error).__name__}: {error}"
    if isinstance(found, list):
        wrong = [sentence for sentence in found if _judged(sentence) != "refused"]
        return (_judged(wrong[0]), f"{how}: {wrong[0]}") if wrong else ("read", how)
    if form.exact and found is not None and not np.array_equal(found, expected):
        return "wrong content", how
    return "read", how


def _judged(sentence: str) -> str:
    if not sentence or "\n" in sentence or not sentence.isprintable():
        return "several lines"
    return "refused" if len(sentence) < 1500 else "endless sentence"


def work(name: str, start: int, count: int, results: Path) -> None:
    """Read files number ``start`` and later, in this process, and write a line before and after each."""
    form = FORMATS[name]
    import cv2

    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder, results.open("a", encoding="utf-8") as out:
        path = form.make(Path(folder))
        sound = path.read_bytes()
        expected = form.read(path)  # imports everything
        used = int(re.search(r"VmSize:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024  # type: ignore[index]
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
        for number in range(start, count):
            out.write(json.dumps([number, "begun", ""]) + "\n")
            out.flush()
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            outcome, sentence = one_file(name, form, path, sound, expected, number)
            faulthandler.cancel_dump_traceback_later()
            out.write(json.dumps([number, outcome, sentence[:600]]) + "\n")
            out.flush()


def torture_format(name: str, count: int) -> list[tuple[int, str, str]]:
    """Read ``count`` damaged files of one format; a process that dies is begun again after the file that killed it."""
    outcomes: dict[int, tuple[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        start = 0
        while start < count:
            words = [sys.executable, __file__, "--work", name, "--start", str(start), "--files", str(count)]
            done = subprocess.run([*words, "--results", str(results)], capture_output=True, check=False)
            lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
            for line in lines:
                number, outcome, sentence = json.loads(line)
                outcomes[number] = outcome, sentence
            begun = [number for number, (outcome, _) in outcomes.items() if outcome == "begun"]
            if not begun and len(outcomes) < count:
                raise SystemExit(f"{name} cannot be tortured: {done.stderr.decode(errors='replace')[-2000:]}")
            for number in begun:
                told = done.stderr.decode(errors="replace")
                hung = "Timeout" in told
                outcomes[number] = ("hang" if hung else f"crash ({done.returncode})"), told[-400:]
                with results.open("a", encoding="utf-8") as out:
                    out.write(json.dumps([number, *outcomes[number]]) + "\n")
            start = max(outcomes) + 1
    return [(number, *outcomes[number]) for number in sorted(outcomes)]


def torture_files(count: int, only: str, show: int) -> int:
    """Read ``count`` files, spread over all formats, print a table, and return how many are faulty."""
    chosen = [name for name in FORMATS if only in name]
    each = max(1, -(-count // len(chosen)))
    faults, total = 0, Counter[str]()
    print(f"{'format':<30} {'files':>5} {'read':>5} {'refused':>7} {'faults':>6}  {'seconds':>7}")
    for name in chosen:
        began = time.monotonic()
        outcomes = torture_format(name, each)
        counts = Counter(outcome for _, outcome, _ in outcomes)
        bad = each - counts["read"] - counts["refused"]
        total.update(counts)
        faults += bad
        print(f"{name:<30} {each:>5} {counts['read']:>5} {counts['refused']:>7} {bad:>6}  "
              f"{time.monotonic() - began:>7.1f}", flush=True)  # fmt: skip
        shown = [one for one in outcomes if one[1] not in ("read", "refused")]
        for number, outcome, sentence in shown[:show]:
            print(f"    #{number} {outcome}: {sentence[:300]!r}", flush=True)
    print(f"{sum(total.values())} files: {dict(total)}")
    return faults


def main() -> None:
    """Read the command's options and do what they say; exit status 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=3000, help="damaged files, spread over all formats")
    parser.add_argument("--stores", type=int, default=1000, help="damaged runs at most, five commands each")
    parser.add_argument("--only", default="", help="only formats and kinds of damage whose name holds this text")
    parser.add_argument("--show", type=int, default=5, help="faults that are shown of each format")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if chosen.work:
        work(chosen.work, chosen.start, chosen.files, chosen.results)
        return
    faults = 0
    with tempfile.TemporaryDirectory() as cache:
        os.environ["VIBENCH_CACHE"] = cache
        if chosen.files and any(chosen.only in name for name in FORMATS):
            faults += torture_files(chosen.files, chosen.only, chosen.show)
        if chosen.stores:
            from stores import torture_stores

            faults += torture_stores(chosen.stores, chosen.only)
    print(f"{faults} faults")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
