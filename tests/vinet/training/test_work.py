"""Operations of a recipe, counted before it is run."""

import pytest
from typer.testing import CliRunner

from vinet.cli import app
from vinet.cost import flop_per_frame
from vinet.training.recipe import read
from vinet.training.work import work_of

SMALL = ["network.width=0.0625", "stages.*.steps=3", "stages.*.batch=1", "stages.*.crop_px=64"]


def test_operations_grow_with_steps_batch_and_pixels() -> None:
    small, larger = (
        work_of(read("compact-dis-cpu", [*SMALL, *more]))
        for more in ([], ["stages.*.steps=6", "stages.*.batch=2", "stages.*.crop_px=128"])
    )
    for one, other in zip(small, larger, strict=True):
        assert other.flop_per_step == pytest.approx(8 * one.flop_per_step)
        assert other.flop == pytest.approx(16 * one.flop)


def test_a_body_on_given_flow_takes_about_three_times_its_forward_pass() -> None:
    """Backward is one product for the inputs and one for the kernels; the first layer needs none for its inputs."""
    recipe = read("compact-dis-cpu", SMALL)
    body = next(work for work, stage in zip(work_of(recipe), recipe.stages, strict=True) if stage.kind == "body")
    forward = flop_per_frame(recipe.network.config(), 64, 64)
    assert 2 < body.flop_per_step / forward < 4


def test_the_command_says_hours_and_needs_no_data() -> None:
    settings = [word for setting in SMALL for word in ("--set", setting)]
    result = CliRunner().invoke(app, ["train", "compact-dis-cpu", "--count", *settings])
    assert result.exit_code == 0 and "PFLOP" in result.output and "TFLOP/s" in result.output
