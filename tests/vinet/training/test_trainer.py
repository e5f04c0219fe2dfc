"""A training that is killed goes on as if nothing had happened, and what it hands out can be loaded."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_run import forked, photo_folder, tiny_recipe
from typer.testing import CliRunner

from vinet import weights
from vinet.cli import app
from vinet.config import VINetConfig
from vinet.errors import VINetError
from vinet.network.frame_network import FrameNetwork
from vinet.network.vinet import VINet
from vinet.training.recipe import parse, read
from vinet.training.start import network_of
from vinet.training.trainer import learning_rate, train

KILLS = 10
KILLED = """
recipe, folder, kills = read(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
chance, killed = random.Random(1), 0
def rows():
    file = folder / "losses.csv"
    return file.read_text().count("\\n") if file.exists() else 0
def child():
    pid = os.fork()
    if pid == 0:
        train(recipe, folder)
        os._exit(0)
    return pid
while killed < kills:
    pid, wanted = child(), rows() + chance.randint(0, 2)
    while rows() < wanted and os.waitpid(pid, os.WNOHANG) == (0, 0):
        time.sleep(0.002)
    time.sleep(0.05 * chance.random())
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        killed += 1
    except (ProcessLookupError, ChildProcessError):
        break  # it had finished
os.waitpid(child(), 0)
print(killed)
"""
TWO = """
os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": sys.argv[3]}
pids = []
for rank in range(2):
    pid = os.fork()
    if pid == 0:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        train(read(sys.argv[1]), Path(sys.argv[2]))
        os._exit(0)
    pids.append(pid)
assert all(os.waitpid(pid, 0)[1] == 0 for pid in pids)
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_recipe(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def undisturbed(recipe: Path) -> Path:
    folder = recipe.parent / "undisturbed"
    forked("train(read(sys.argv[1]), Path(sys.argv[2]))", recipe, folder)
    return folder


def test_killed_at_ten_random_moments_the_curve_is_the_undisturbed_one(undisturbed: Path, recipe: Path) -> None:
    folder = recipe.parent / "killed"
    killed = int(forked(KILLED, recipe, folder, KILLS).split()[-1])
    assert killed >= 3
    for name in ("losses.csv", "validation.csv"):
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes()
    ours, theirs = (weights.read(run / "weights.safetensors").tensors for run in (folder, undisturbed))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_weights_are_half_precision_and_load_with_their_configuration(undisturbed: Path, recipe: Path) -> None:
    network, file = weights.load(undisturbed / "weights.safetensors")
    assert network.config == read(str(recipe)).network.config()
    assert {values.dtype for values in file.tensors.values()} == {torch.float16}
    assert file.notes["steps"] == "11" and file.notes["recipe"] == "tiny"


def test_every_stage_leaves_its_weights_and_every_step_its_row(undisturbed: Path) -> None:
    assert {"heads.safetensors", "whole.safetensors"} <= {path.name for path in undisturbed.iterdir()}
    rows = (undisturbed / "losses.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == [*range(1, 12)]


def test_a_snapshot_of_a_finished_run_is_its_weights(undisturbed: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["snapshot", str(undisturbed), "-o", str(tmp_path / "now.safetensors")])
    assert result.exit_code == 0 and "after 11 steps" in result.output
    ours, theirs = (
        weights.read(path).tensors for path in (tmp_path / "now.safetensors", undisturbed / "weights.safetensors")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_snapshot_of_nothing_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["snapshot", str(tmp_path), "-o", str(tmp_path / "now.safetensors")])
    assert isinstance(result.exception, VINetError)


def test_the_curve_is_drawn(undisturbed: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["curve", str(undisturbed), "-o", str(tmp_path / "curve.png")]).exit_code == 0
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    refused = CliRunner().invoke(app, ["curve", str(undisturbed), "-o", "x.png", "--column", "joy"])
    assert isinstance(refused.exception, VINetError) and "joy" in str(refused.exception)


def test_another_recipe_does_not_go_on_in_the_same_folder(undisturbed: Path, recipe: Path) -> None:
    with pytest.raises(VINetError, match="another recipe"):
        train(read(str(recipe), ["seed=8"]), undisturbed)


def test_a_run_goes_on_with_a_stage_that_was_added(undisturbed: Path, recipe: Path, tmp_path: Path) -> None:
    """The same as if the stage had stood in the recipe from the start."""
    text = recipe.read_text()
    added = text + text[text.rindex("[[stages]]") :].replace('name = "whole"', 'name = "more"')
    longer = recipe.with_name("longer.toml")
    longer.write_text(f'name = "tiny"\n{added}')
    shutil.copytree(undisturbed, tmp_path / "added")
    for folder in ("added", "whole"):
        forked("train(read(sys.argv[1]), Path(sys.argv[2]))", longer, tmp_path / folder)
    for name in ("losses.csv", "validation.csv", "weights.safetensors"):
        first, second = ((tmp_path / folder / name) for folder in ("added", "whole"))
        if name.endswith(".csv"):
            assert first.read_bytes() == second.read_bytes()
        else:
            pairs = zip(load_file(first).items(), load_file(second).items(), strict=True)
            assert all(a == b and bool((u == v).all()) for (a, u), (b, v) in pairs)


def test_two_processes_train_one_network(recipe: Path) -> None:
    folder = recipe.parent / "two"
    forked(TWO, recipe, folder, 29_511)
    assert (folder / "losses.csv").read_text().count("\n") == 12
    weights.load(folder / "weights.safetensors")


def test_the_frame_network_trains_and_loads(tmp_path: Path) -> None:
    stages = [{"name": "body", "kind": "body", "steps": 2, "crop_px": 16, "batch": 1}]
    data = {"photos": str(photo_folder(tmp_path / "photos"))}
    recipe = parse({"name": "frame", "network": {"kind": "frame"}, "data": data, "stages": stages})
    path = train(recipe, tmp_path / "run")
    held = weights.read(path)
    assert held.config == VINetConfig.compact()
    weights.load_into(FrameNetwork(held.config), held.tensors, "the run")


def test_a_network_starts_from_what_a_file_holds_of_it(tmp_path: Path, recipe: Path) -> None:
    plain = read(str(recipe))
    trained = network_of(plain.network, seed=5)
    weights.save(trained, tmp_path / "start.safetensors")
    started = network_of(read(str(recipe), [f"network.start={tmp_path / 'start.safetensors'}"]).network, seed=6)
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), started.parameters(), strict=True))


def test_a_recipe_that_goes_on_from_weights_asks_for_them() -> None:
    with pytest.raises(VINetError, match="there is no weights file START.safetensors"):
        network_of(read("finetune-cpu").network, seed=0)


def test_of_two_files_the_later_one_wins(tmp_path: Path, recipe: Path) -> None:
    networks = [network_of(read(str(recipe)).network, seed=seed) for seed in (5, 6)]
    names = [tmp_path / "first.safetensors", tmp_path / "second.safetensors"]
    for network, name in zip(networks, names, strict=True):
        weights.save(network, name)
    files = f"network.start={[str(name) for name in names]}".replace("'", '"')
    started = network_of(read(str(recipe), [files]).network, seed=7)
    assert all(torch.equal(a, b) for a, b in zip(networks[1].parameters(), started.parameters(), strict=True))


@pytest.mark.parametrize(
    ("switch", "kept"), [("neighbours=1", [2, 4]), ("neighbours=2", [1, 2, 4]), ("recurrence=false", [0, 1, 2, 3])]
)
def test_an_ablation_starts_from_the_slices_of_the_sources_it_keeps(
    tmp_path: Path, switch: str, kept: list[int]
) -> None:
    """Sources are the neighbours at -6, -3, 3 and 6 and the previous output; a single neighbour is the one at 3."""
    full = VINet(VINetConfig.compact(0.0625, given_flow=True))
    weights.save(full, tmp_path / "full.safetensors")
    settings = [f"network.start={tmp_path / 'full.safetensors'}", "network.width=0.0625", f"network.switches.{switch}"]
    started = network_of(read("finetune-cpu", settings).network, seed=1)
    theirs, ours = full.state_dict(), started.state_dict()
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        sliced = "st_agg" in name and values.ndim == 5
        assert torch.equal(values, theirs[name][:, :, kept] if sliced else theirs[name]), name


def test_a_flow_encoder_starts_as_the_body_s_and_is_kept_once_a_file_holds_one(tmp_path: Path) -> None:
    body, flow, mixed = (tmp_path / f"{name}.safetensors" for name in ("body", "flow", "mixed"))
    weights.save(VINet(VINetConfig.compact(0.0625, given_flow=True)), body)
    settings = ["network.width=0.0625", "network.switches.flow_encoder=true"]
    fresh = network_of(read("flow-cpu", [*settings, f"network.start={body}"]).network, seed=1).state_dict()
    inner = {name.removeprefix("flow_encoder."): v for name, v in fresh.items() if name.startswith("flow_encoder.")}
    assert inner and all(torch.equal(v, fresh[f"encoder1.{name}"]) for name, v in inner.items())

    weights.save(VINet(VINetConfig.compact(0.0625, flow_encoder=True)), flow)
    started = network_of(read("flow-cpu", [*settings, f'network.start=["{flow}", "{body}"]']).network, seed=1)
    weights.save(started, mixed)
    found, of_flow, of_body = (weights.read(path).tensors for path in (mixed, flow, body))
    for name, values in found.items():
        assert torch.equal(values, (of_body if name in of_body else of_flow)[name]), name


def test_the_rate_warms_up_and_ends_where_it_should() -> None:
    stage = parse({"name": "x", "stages": [{"name": "a", "kind": "flow", "steps": 100, "warm_up": 9}]}).stages[0]
    rates = [learning_rate(stage, step) for step in range(101)]
    assert math.isclose(rates[0], 1e-4) and max(rates) < 1e-3 and math.isclose(rates[100], 1e-5)


def test_the_command_says_what_to_do_without_photos() -> None:
    result = CliRunner().invoke(app, ["train", "compact-cpu"])
    assert isinstance(result.exception, VINetError) and "--photos" in str(result.exception)


@pytest.mark.slow
def test_the_published_recipe_takes_two_steps_of_every_stage(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos")
    small = ["stages.*.steps=2", "stages.*.batch=1", "stages.*.crop_px=32", "stages.unrolled.targets=2"]
    settings = [*small, f"data.photos={photos}", "data.clip_share=0.0", "validation_batches=1"]
    path = train(read("published-gpu", settings), tmp_path / "run")
    assert weights.load(path)[0].config.channels == (32, 64, 96, 128)
