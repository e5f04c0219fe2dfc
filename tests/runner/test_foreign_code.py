"""A method is foreign code: whatever it does is a record or is undone, and the run goes on to the next one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from command_line import Outcome
from listening import Silent
from misbehaving import BEHAVIOURS, FAILED, LIMIT, SCORED, STREAMS
from orphans import left_over, words
from written_module import written_module

from vibench.errors import UserError
from vibench.machine.child import Child
from vibench.machine.host import ChildFailed
from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.results.record import Record
from vibench.results.store import Store
from vibench.runner.order import Order
from vibench.runner.run import carry_out

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def protocol() -> Protocol:
    return Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3,
            "data": {"dataset": "bundled", "clips": ["carphone"], "frames": 5},
            "resize": {"width_px": 64, "height_px": 48, "filter": "area"},
            "holes": [{"name": "square", "generator": "stationary-square"}],
            "scoring": {"metrics": ["psnr"]},
        }
    )  # fmt: skip


def test_whatever_a_method_does_is_a_record_or_is_undone_and_the_others_go_on(
    protocol: Protocol, tmp_path: Path
) -> None:
    names = [f"misbehaving:Misbehaving[how={how}]" for how in BEHAVIOURS]
    names += [f"misbehaving:Streaming[how={how}]" for how in STREAMS]
    before, here, environment = left_over(), os.getcwd(), dict(os.environ)
    records = {}
    for limit in (3.0, 600.0):  # only what never ends meets its limit, however busy the machine is
        chosen = [name for name in names if (name in hanging()) == (limit < 600)]
        specs = tuple(Spec.parse(name) for name in [*chosen, "telea"])
        store = carry_out(Order(protocol, specs, ("psnr",), tmp_path, time_limit_seconds=limit), Silent())
        records |= {record.method: record for record in store.records()}
    assert (os.getcwd(), dict(os.environ)) == (here, environment)
    assert left_over() <= before
    assert records["telea"].status == "scored" and len(records) == len(names) + 1
    for how, (_, status, reason) in BEHAVIOURS.items():
        check(records[f"misbehaving:Misbehaving[how={how}]"], status, reason)
    for how, reason in STREAMS.items():
        check(records[f"misbehaving:Streaming[how={how}]"], FAILED, reason)
    scored = [record for record in records.values() if record.status == SCORED and "Misbehaving" in record.method]
    assert len({record.output_sha256 for record in scored}) == 1, "all that filled with grey filled alike"


@pytest.mark.parametrize("where", [[], ["--in-process"]], ids=["child", "in-process"])
def test_a_method_that_changes_the_folder_moves_no_result(
    vibench: Callable[..., Outcome], tmp_path: Path, where: list[str]
) -> None:
    """The output is a relative path: it means the folder in which the command was started."""
    method = "misbehaving:Misbehaving[how=changes_folder]"
    status, _, error = vibench("run", "-m", method, "-o", "out", "--metrics", "psnr", "--limit", "1", *where)
    assert status == 0, error
    (folder,) = (tmp_path / "out").iterdir()
    (record,) = Store.open(folder).records()
    assert record.status == SCORED and record.method == method


def hanging() -> list[str]:
    """The methods that never come back."""
    wholes = [f"misbehaving:Misbehaving[how={how}]" for how, (_, _, reason) in BEHAVIOURS.items() if LIMIT in reason]
    return wholes + [f"misbehaving:Streaming[how={how}]" for how, reason in STREAMS.items() if LIMIT in reason]


def check(record: Record, status: str, reason: str) -> None:
    assert record.status == status, (record.method, record.failure)
    if record.failure is not None:
        assert reason in record.failure.message, record.method
        assert "\n" not in record.failure.message and len(record.failure.message) <= 500


def test_what_a_failed_method_printed_and_raised_stands_beside_its_record(protocol: Protocol, tmp_path: Path) -> None:
    (tmp_path / "talking.py").write_text(
        "class M:\n def __call__(self, h):\n  print('the layer is empty', flush=True)\n  raise OSError('gone')\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        store = carry_out(Order(protocol, (Spec("talking:M"),), ("psnr",), tmp_path / "out"), Silent())
    finally:
        sys.path.remove(str(tmp_path))
    (told,) = store.folder.glob("records/*/*.traceback.txt")
    assert "OSError: gone" in told.read_text() and "the layer is empty" in told.read_text()


def test_in_a_process_of_its_own_or_not_a_method_gives_the_same_bytes(protocol: Protocol, tmp_path: Path) -> None:
    specs = tuple(map(Spec.parse, ("telea", "frame_baseline", "flow_propagation", "vinet")))
    digests = []
    for in_process in (False, True):
        order = Order(protocol, specs, ("psnr",), tmp_path / str(in_process), in_process=in_process)
        store = carry_out(order, Silent())
        digests.append({record.method: (record.output_sha256, record.metrics) for record in store.records()})
        assert all(record.timing is not None and record.timing.seconds > 0 for record in store.records())
    assert digests[0] == digests[1] and len(digests[0]) == 4


@pytest.mark.parametrize("jobs", [1, 2])
def test_nothing_outlives_a_run_that_is_killed(tmp_path: Path, jobs: int) -> None:
    """SIGKILL of the command alone: its workers and the methods' processes must end by themselves."""
    (tmp_path / "slow.py").write_text("import time\nclass M:\n def __call__(self, h):\n  time.sleep(600)\n")
    command = ["run", "-m", "slow:M", "-o", "out", "--jobs", str(jobs), "--metrics", "psnr"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "vibench", *command], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    )
    family: list[psutil.Process] = []
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        family = psutil.Process(process.pid).children(recursive=True)
        workers = [one for one in family if "machine/worker.py" in " ".join(words(one))]
        # With two jobs the command itself has let go of its own process before the workers have theirs.
        if len(workers) >= jobs and list(tmp_path.glob("out/*/run.json")) and (jobs == 1 or len(family) > jobs + 1):
            break
        time.sleep(0.2)
    assert family
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


def test_a_stream_tells_how_far_it_has_come(protocol: Protocol, tmp_path: Path) -> None:
    (tmp_path / "steady.py").write_text(
        "import time\n"
        "class M:\n"
        " def __call__(self, h): return h.frames\n"
        " def stream(self, frames, masks):\n"
        "  for frame in frames:\n"
        "   time.sleep(0.6)\n"
        "   yield frame\n"
    )
    sys.path.insert(0, str(tmp_path))
    listener = Silent()
    try:
        carry_out(Order(protocol, (Spec("steady:M"),), ("psnr",), tmp_path / "out"), listener)
    finally:
        sys.path.remove(str(tmp_path))
    told = [fill[2:] for fill in listener.fills]
    assert told[0] == (0, 5) and len(told) >= 3 and all(total == 5 for _, total in told)


def test_a_process_that_died_is_started_again_for_the_next_case() -> None:
    from vibench.clip import Holed

    frames = np.zeros((4, 16, 16, 3), np.uint8)
    masks = np.zeros((4, 16, 16), bool)
    masks[:, 3:5, 3:5] = True
    sys.path.insert(0, str(SUPPORT))
    with Child("misbehaving", "Misbehaving", {"how": "segfault"}) as child:
        child.load()
        for _ in range(2):
            with pytest.raises(ChildFailed, match="SIGSEGV"):
                child.fill(Holed("a", frames, masks))


def test_a_damaged_plugin_that_ends_the_process_when_it_is_imported_is_one_sentence(
    protocol: Protocol, tmp_path: Path
) -> None:
    (tmp_path / "deadly.py").write_text("import os\nos._exit(7)\n")
    command = [sys.executable, "-m", "vibench", "run", "-m", "deadly:M,telea", "-o", "out"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.strip() == (
        "Error: the method deadly:M cannot be imported: the method ended its process with status 7"
    )
    assert not list(tmp_path.glob("out/*")) or Store.open(next(tmp_path.glob("out/*"))).records() == []


FOREIGN = """
import os
import numpy as np
import torch
from pathlib import Path
from vibench.metric import MetricInfo, Series


class Fill:
    def __call__(self, h):
        return h.frames


class NoWeights(Fill):
    def __init__(self):
        open("/nonexistent/weights.pth")


class Exits(Fill):
    def __init__(self):
        raise SystemExit(0)


class NotCallable:
    pass


class Describes(Fill):
    def describe(self):
        facts = {"parameters": np.int64(4), "share": np.float32(0.5), "file": Path("a/b")}
        return {**facts, "nan": float("nan"), 3: {"x": (1, 2)}}


class Boom:
    info = MetricInfo(name="boom", title="boom", unit="", better="higher", needs=frozenset())

    def measure(self, frames, case):
        if case.name.startswith("carphone/a"):
            raise np.linalg.LinAlgError("singular matrix")
        return {"frame": Series.of([1.0] * len(frames))}


class Meddles:
    info = MetricInfo(name="meddles", title="meddles", unit="", better="higher", needs=frozenset())

    def __init__(self, exits: bool = False):
        self.exits = exits

    def measure(self, frames, case):
        os.chdir("/")
        os.environ["MEDDLED"] = "1"
        np.seterr(all="raise")
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(1 + torch.get_num_threads() % 2)
        frames[:] = 0
        if self.exits:
            os._exit(0)
        return {"frame": Series.of([1.0] * len(frames))}


class Infinite:
    info = MetricInfo(name="infinite", title="infinite", unit="", better="higher", needs=frozenset())

    def measure(self, frames, case):
        return {"frame": Series((float("inf"), float("nan"), 1.0, 2.0, 3.0))}
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of somebody else's, under a name that no other test has imported."""
    return written_module("foreign", FOREIGN, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("NoWeights", "cannot be made: FileNotFoundError.*/nonexistent/weights.pth"),
        ("Exits", "cannot be made: SystemExit: 0"),
        ("NotCallable", "cannot be called"),
    ],
)
def test_a_method_that_cannot_be_made_is_one_sentence_that_names_it(
    protocol: Protocol, tmp_path: Path, foreign: str, method: str, sentence: str
) -> None:
    order = Order(protocol, (Spec(f"{foreign}:{method}"),), ("psnr",), tmp_path / "out")
    with pytest.raises(UserError, match=sentence) as raised:
        carry_out(order, Silent())
    assert f"{foreign}:{method}" in str(raised.value) and "\n" not in str(raised.value)


def test_what_a_method_says_of_itself_is_taken_as_numbers_and_text(
    protocol: Protocol, tmp_path: Path, foreign: str
) -> None:
    facts = []
    for in_process in (False, True):
        order = Order(
            protocol, (Spec(f"{foreign}:Describes"),), ("psnr",), tmp_path / str(in_process), in_process=in_process
        )
        facts.append(carry_out(order, Silent()).info.methods[0].facts)
    assert facts[0] == facts[1]
    assert facts[0] == {"parameters": 4, "share": 0.5, "file": "a/b", "nan": "nan", "3": {"x": [1, 2]}}


def test_a_metric_that_raises_is_a_reason_for_that_case_alone(protocol: Protocol, tmp_path: Path, foreign: str) -> None:
    holes = tuple(protocol.holes[0].model_copy(update={"name": name}) for name in ("a", "b"))
    two = protocol.model_copy(update={"holes": holes})
    store = carry_out(Order(two, (Spec("telea"),), ("psnr", f"{foreign}:Boom"), tmp_path / "out"), Silent())
    first, second = store.records()
    assert first.unavailable == {"boom": "it failed: LinAlgError: singular matrix"} and "psnr" in first.metrics
    assert second.unavailable == {} and second.metrics["boom"]["frame"] == (1.0,) * 5


@pytest.mark.parametrize("exits", [False, True])
def test_what_a_metric_changes_of_the_process_is_undone_and_it_ends_no_run(
    protocol: Protocol, tmp_path: Path, foreign: str, exits: bool
) -> None:
    import torch

    def state() -> tuple[object, ...]:
        return os.getcwd(), dict(os.environ), np.geterr(), torch.get_default_dtype(), torch.get_num_threads()

    before, ending, streams = state(), os._exit, psutil.Process().num_fds()
    meddling = (f"{foreign}:Meddles[exits={str(exits).lower()}]", "psnr")
    (record,) = carry_out(Order(protocol, (Spec("telea"),), meddling, tmp_path / "out"), Silent()).records()
    (alone,) = carry_out(Order(protocol, (Spec("telea"),), ("psnr",), tmp_path / "alone"), Silent()).records()
    assert (state(), os._exit) == (before, ending)
    assert record.metrics["psnr"] == alone.metrics["psnr"]
    if exits:
        assert record.unavailable == {"meddles": "it failed: SystemExit: 0"}
    else:
        assert record.unavailable == {} and record.metrics["meddles"]["frame"] == (1.0,) * 5
    assert psutil.Process().num_fds() <= streams


def test_an_infinite_value_is_no_value_and_every_file_is_json(protocol: Protocol, tmp_path: Path, foreign: str) -> None:
    store = carry_out(Order(protocol, (Spec("telea"),), (f"{foreign}:Infinite",), tmp_path / "out"), Silent())
    (record,) = store.records()
    assert record.metrics["infinite"]["frame"] == (None, None, 1.0, 2.0, 3.0)
    for path in store.folder.rglob("*.json"):
        json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
