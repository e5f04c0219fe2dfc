"""The small process between vibench and a program: it starts it, times it, and ends it with all that it has started.

``process.py`` runs this file by its path: ``launcher.py REPORT JOB FOLDER COMMAND...``. The program's standard streams
are this process's own. When the program has ended, one line of JSON about it goes to the descriptor REPORT. When
standard input ends, which it does however vibench ends, the program is killed and the folder JOB is removed.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from time import monotonic, perf_counter, sleep

ENDING_SECONDS = 20.0
"""So long are processes killed that start others faster than they end."""
_PR_SET_CHILD_SUBREAPER = 36
"""From Linux's ``sys/prctl.h``: what descendants leave behind becomes this process's child."""


def main() -> None:
    """Run the command and report on it."""
    report, job, folder, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    os.set_inheritable(report, False)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = perf_counter()
    try:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        _tell(report, {"error": f"{command[0]} cannot be run: {error.strerror}"})
        return
    over = threading.Lock()  # taken once: by the program's end, or by that of standard input
    threading.Thread(target=_watch, args=(process.pid, job, over), daemon=True).start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except ChildProcessError:  # the other thread has reaped it
        signal.pause()
    seconds = perf_counter() - started
    if not over.acquire(blocking=False):
        signal.pause()  # the other thread ends this process
    end_family(process.pid)
    _tell(
        report,
        {
            "status": os.waitstatus_to_exitcode(status),
            "seconds": seconds,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            # The largest single process, in the units of the system: kilobytes on Linux, bytes on macOS.
            "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "involuntary_switches": usage.ru_nivcsw,
        },
    )


def end_family(leader: int) -> None:
    """Kill the program's process group, and whatever else descends from this process, until nothing is left.

    As long as a descendant lives, this process has a child, since it inherits the children of all that end.
    """
    import psutil

    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    until = monotonic() + ENDING_SECONDS
    while monotonic() < until:
        for one in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                one.kill()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        sleep(0.005)


def _watch(leader: int, job: str, over: threading.Lock) -> None:
    while os.read(0, 4096):
        pass
    if not over.acquire(blocking=False):
        return
    end_family(leader)
    shutil.rmtree(job, ignore_errors=True)
    os._exit(1)


def _tell(report: int, line: dict[str, object]) -> None:
    with suppress(OSError):  # nobody may be there any more
        os.write(report, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    main()
