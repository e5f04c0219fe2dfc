"""A method under another interpreter gives the frames that it gives here, and is the same method."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from listening import Silent

from vibench import plugins
from vibench.clip import Holed
from vibench.errors import InputError, MissingResource
from vibench.machine import worker_process
from vibench.machine.host import hosted
from vibench.masks import moving_square
from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.runner.programs.factory import named_method
from vibench.runner.programs.interpreter import InterpreterFactory
from vibench.runner.run import run

METHOD = '''
"""Nothing of vibench, and nothing newer than Python 3.7."""
import numpy as np


def smooth(frame, mask, rounds):
    values = frame.astype(np.float64)
    for _ in range(rounds):
        padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), "edge")
        around = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 4
        values[mask] = around[mask]
    return values


class Diffusion:
    def __init__(self, rounds=20, device="nowhere"):
        self.rounds, self.device = rounds, device

    def describe(self):
        return {"device of the factory": self.device, "made under numpy": np.__version__}

    def __call__(self, holed):
        return np.stack([smooth(f, m, self.rounds) for f, m in zip(holed.frames, holed.masks)])
'''


def others() -> list[str]:
    """Interpreters of this machine, other than this one, that have numpy: the one that CI made, and pyenv's."""
    named = os.environ.get("VIBENCH_OTHER_PYTHON", "").split(os.pathsep)
    pyenv = sorted(Path("~/.pyenv/versions").expanduser().glob("3.*/bin/python"))
    return [place for place in [*named, *map(str, pyenv)] if place and place != sys.executable and has_numpy(place)]


def has_numpy(python: str) -> bool:
    words = [python, "-c", "import sys, numpy; assert sys.version_info >= (3, 7)"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


OTHERS = others()
needs_another = pytest.mark.skipif(not OTHERS, reason="no other Python with numpy here; VIBENCH_OTHER_PYTHON names one")


@pytest.fixture
def method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "diffusing.py").write_text(METHOD)
    monkeypatch.syspath_prepend(tmp_path)
    return "diffusing:Diffusion"


def clip() -> Holed:
    frames = np.random.default_rng(3).integers(0, 256, (4, 40, 48, 3), np.uint8)
    masks = moving_square(4, 40, 48, 5)
    frames[masks] = 0
    return Holed("clip", frames, masks)


@needs_another
@pytest.mark.parametrize("python", OTHERS)
def test_the_frames_are_those_that_it_gives_here_and_it_is_timed_there(method: str, python: str) -> None:
    holed = clip()
    here = hosted(Spec.parse(f"{method}[rounds=7]"), "cpu")
    there = InterpreterFactory(method, python).host({"rounds": 7}, "cpu", 0)
    try:
        (expected, _), (found, timing) = here.fill(holed), there.fill(holed)
        np.testing.assert_array_equal(found, expected)
        assert timing is not None and timing["seconds"] > 0 and "scope" not in timing, "a call, as ours are"
        assert there.described["made under numpy"] == there.described["versions"]["numpy"]
        assert there.described["interpreter"] == python and there.described["device of the factory"] == "cpu"
    finally:
        here.close()
        there.close()


@needs_another
def test_it_is_the_same_method_in_every_interpreter(method: str) -> None:
    here = plugins.source_digest(plugins.factory("methods", method))
    assert {plugins.source_digest(InterpreterFactory(method, python)) for python in OTHERS} == {here}


@needs_another
def test_a_method_file_names_interpreter_factory_path_and_options(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "elsewhere.py").write_text(METHOD)
    file = tmp_path / "mine.toml"
    file.write_text(
        f'name = "mine"\ntitle = "Mine"\nlicence = "none"\npython = "{OTHERS[0]}"\nfactory = "elsewhere:Diffusion"\n'
        'path = ["code"]\n[options]\nrounds = 3\n'
    )
    found = named_method(Spec(str(file)))
    assert found is not None and found.spec.label == "mine"
    host = found.factory.host({}, "cpu", 0)
    try:
        sys.path.insert(0, str(tmp_path / "code"))
        import elsewhere

        holed = clip()
        expected = np.floor(elsewhere.Diffusion(rounds=3)(holed).clip(0, 255) + 0.5)
        np.testing.assert_array_equal(host.fill(holed)[0], expected)
    finally:
        sys.path.remove(str(tmp_path / "code"))
        del sys.modules["elsewhere"]
        host.close()
    before = found.factory.source_sha256
    (tmp_path / "code" / "elsewhere.py").write_text(METHOD + "\n# another version\n")
    assert found.factory.source_sha256 != before, "code that only the other interpreter finds counts too"


@needs_another
def test_a_run_has_it_in_one_table_with_ours_under_the_name_that_it_has_here(method: str, tmp_path: Path) -> None:
    protocol = Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3,
            "data": {"dataset": "bundled", "clips": ["carphone"], "frames": 3},
            "resize": {"width_px": 64, "height_px": 48, "filter": "area"},
            "holes": [{"name": "square", "generator": "stationary-square"}],
            "scoring": {"metrics": ["psnr"]},
        }
    )  # fmt: skip
    there = run(protocol, f"{method}[rounds=5],telea", output=tmp_path / "there", python=OTHERS[0], listener=Silent())
    here = run(protocol, f"{method}[rounds=5],telea", output=tmp_path / "here", listener=Silent())
    assert not there.failures and there.methods == here.methods == (f"{method}[rounds=5]", "telea")
    outputs = [
        {record.method: (record.output_sha256, record.metrics) for record in done.store.records()}
        for done in (there, here)
    ]
    assert outputs[0] == outputs[1]
    assert there.info.digest == here.info.digest, "the interpreter is a circumstance, and stands in the facts"
    facts = {each.label: each.facts for each in there.info.methods}
    assert facts[f"{method}[rounds=5]"]["interpreter"] == OTHERS[0] and "interpreter" not in facts["telea"]


def test_an_interpreter_that_is_none_is_a_sentence(method: str, tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="there is no Python at /absent/python"):
        InterpreterFactory(method, "/absent/python").host({}, "cpu", 0)
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'No module named numpy' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(InputError, match=rf"{method} cannot be made: .*status 1.*No module named numpy"):
        InterpreterFactory(method, str(broken)).host({}, "cpu", 0)
    with pytest.raises(InputError, match="cannot work in this process under .*: drop --in-process or --python"):
        named_method(Spec(method), "python3", in_process=True)


def test_a_worker_of_another_version_is_a_sentence(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "PROTOCOL", 99)
    with pytest.raises(InputError, match=r"speaks version \d+ of the orders, and vibench asks in version 99"):
        InterpreterFactory(method, sys.executable).host({}, "cpu", 0)


@pytest.mark.parametrize("name", ["worker", "call", "ring", "memory", "stopwatch", "processes", "__init__"])
def test_what_runs_under_the_other_interpreter_keeps_to_the_syntax_of_python_3_8(name: str) -> None:
    file = Path(worker_process.__file__).with_name(f"{name}.py")
    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))
