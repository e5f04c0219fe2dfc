"""Which machine and which software a number was made with."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "vibench", "torch", "torchvision", "numpy", "scipy", "scikit-image", "opencv-python-headless", "av", "lpips",
    "pillow",
)  # fmt: skip


def machine_facts() -> dict[str, Any]:
    """The processor, cores, memory, system, Python, accelerators and threads of this machine."""
    import psutil
    import torch

    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "accelerators": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "torch_threads": torch.get_num_threads(),
    }


def differing_facts(machines: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the facts in which machines differ; times of two runs are compared only where there are none.

    Every fact counts, system and Python too: nobody knows beforehand which of them decides speed, and runs that are to
    be compared are easily made in one place.
    """
    known = list(machines)
    names = dict.fromkeys(name for facts in known for name in facts)
    return tuple(name for name in names if any(facts.get(name) != known[0].get(name) for facts in known))


def fingerprint(facts: dict[str, Any]) -> str:
    """A short key of what decides speed most.

    It is for baselines, which are kept for months and must outlive an update of the system.
    """
    deciding = {key: facts[key] for key in ("processor", "cores", "accelerators", "torch_threads")}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:12]


@cache
def machine_name(device: str) -> str:
    """Name what decides speed: the processor and its cores, and the accelerator where ``device`` is one.

    Machines of one name count as one where times are brought together, such as the equal nodes of a cluster.
    """
    name = f"{processor_name()}, {os.cpu_count()} cores"
    if device == "cpu":
        return name
    import torch

    return f"{name}, {torch.cuda.get_device_name(device)}"


def package_versions() -> dict[str, str]:
    """The installed version of each package whose arithmetic is in the numbers."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def deciding_versions() -> dict[str, str]:
    """Versions of vibench and of the packages whose arithmetic is in every number: numpy, torch, OpenCV, PyAV."""
    import av
    import cv2
    import numpy as np
    import torch

    return {
        "vibench": package_versions()["vibench"],
        "numpy": np.__version__,
        "torch": torch.__version__,
        "opencv": cv2.__version__,
        "av": av.__version__,
    }


def commit() -> str | None:
    """The git commit of the checkout that vibench runs from, with ``+changes`` if files differ; None in a wheel."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        head = git(folder, "rev-parse", "HEAD")
        changed = git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+changes" if changed else "")


def processor_name() -> str:
    """The processor's model name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def git(folder: Path, *words: str) -> str:
    """Return what git says in ``folder``; CalledProcessError where it fails, OSError where there is no git."""
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout.strip()
