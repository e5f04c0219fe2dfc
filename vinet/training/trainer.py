"""The training loop: a step is a function of the one before and of its number, so a killed run goes on unchanged."""

import contextlib
import copy
import json
import math
import time
from bisect import bisect_left
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from vinet.errors import VINetError
from vinet.files import REST
from vinet.network.frame_network import FrameNetwork
from vinet.network.vinet import VINet
from vinet.training import checkpoint, losses
from vinet.training.curve import Curve
from vinet.training.export import export
from vinet.training.objective import Objective, Terms, carried_at, trained
from vinet.training.processes import Processes, processes
from vinet.training.progress import progress
from vinet.training.recipe import WEIGHTS, Recipe, Stage
from vinet.training.scenes.data import Data, lead_at, motion_at, shown_at
from vinet.training.scenes.scene import Shown
from vinet.training.start import network_of
from vinet.training.texture import texture

COLUMNS = ("stage", "rate", "gradient", "loss", *WEIGHTS)
DEFAULT_WEIGHTS = {
    "flow": {"endpoint": 1.0},
    "body": {"l1": 1.0, "hole": 5.0},
    "joint": {"l1": 1.0, "hole": 5.0, "endpoint": 0.1},
    "unrolled": {"l1": 1.0, "ssim": 1.0, "hole": 5.0, "flow": 10.0, "warping": 1.0},
}
"""Where a stage names none; those of unrolled stages are the paper's."""


def train(recipe: Recipe, folder: Path, device: str = "cpu") -> Path:
    """Train, or go on with, the run in `folder`; returns the weights file. VINetError for what a person can fix."""
    folder.mkdir(parents=True, exist_ok=True)
    with processes(device) as these, _alone(folder, these):
        return Run(recipe, folder, these).finish()


class Run:
    """A training in progress."""

    def __init__(self, recipe: Recipe, folder: Path, these: Processes) -> None:
        self.recipe, self.folder, self.these = recipe, folder, these
        self.data = Data(recipe, these.device)
        self.network = network_of(recipe.network, recipe.seed).to(these.device)
        self.average = checkpoint.averaged(self.network, recipe.ema)
        self.done = 0
        """Steps taken, over all stages."""
        self.seconds = 0.0
        self._optimiser_state: dict[str, Any] | None = None
        # Read now, so that what a later stage needs is not missed when its time has come.
        asked = any(stage.asks_for_texture for stage in recipe.stages)
        self.texture = texture(recipe.data.vgg16).to(these.device) if asked else None
        self._resume()

    def finish(self) -> Path:
        """Take every step that is left, and write the weights."""
        leads = self.these.leads
        curves = [Curve(self.folder / "losses.csv", COLUMNS, self.done)] if leads else []
        curves += [Curve(self.folder / "validation.csv", ("stage", "loss", *WEIGHTS), self.done)] if leads else []
        total = sum(stage.steps for stage in self.recipe.stages)
        bar = progress(total, self.folder, self.done) if leads else contextlib.nullcontext()
        with bar as shown:
            before = 0
            for stage in self.recipe.stages:
                end = before + stage.steps
                if self.done < end:
                    self._stage(stage, before, curves, shown)
                if self.done == end:  # also when a death came between the last checkpoint and this line
                    self._export(self.folder / f"{stage.name}.safetensors")
                before = end
        for curve in curves:
            curve.close()
        return self._export(self.folder / "weights.safetensors")

    def _stage(self, stage: Stage, before: int, curves: list[Curve], shown: Any) -> None:
        names = set(trained(self.network, stage))
        for name, values in self.network.named_parameters():
            values.requires_grad_(name in names)
        chosen = [values for values in self.network.parameters() if values.requires_grad]
        optimiser = torch.optim.Adam(chosen, lr=stage.learning_rate)
        if self._optimiser_state and self.done > before:
            optimiser.load_state_dict(self._optimiser_state)
        objective = self._objective(self.network, stage)
        module: nn.Module = objective
        if self.these.count > 1:
            module = DistributedDataParallel(objective, find_unused_parameters=True)
        saved_at = started = time.monotonic()
        for step in range(self.done - before, stage.steps):
            figures = self._step(stage, step, module, objective, optimiser)
            self.done += 1
            self.average.update_parameters(self.network)
            if not self.these.leads:
                continue
            curves[0].add(self.done, {"stage": stage.name, **figures})
            if self.done % self.recipe.validate_every == 0 or step == stage.steps - 1:
                curves[1].add(self.done, {"stage": stage.name, **self._validated(stage)})
            shown.step(self.done, stage.name, {n: v for n, v in figures.items() if n not in ("rate", "gradient")})
            now = time.monotonic()
            if now - saved_at >= self.recipe.checkpoint_seconds or step == stage.steps - 1:
                for curve in curves:
                    curve.sync()
                self.seconds, started, saved_at = self.seconds + now - started, now, now
                self._save(optimiser)

    def _objective(self, network: VINet | FrameNetwork, stage: Stage) -> Objective:
        return Objective(network, stage, self.texture if stage.asks_for_texture else None)

    def _step(
        self, stage: Stage, step: int, module: nn.Module, objective: Objective, optimiser: torch.optim.Optimizer
    ) -> dict[str, float]:
        """One step of the optimiser; VINetError once the loss or the gradient is no number."""
        rate = learning_rate(stage, step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        position = (self.recipe.seed, stage.name, step, self.these.rank)
        terms = self._terms(module, objective, position, motion_at(stage, step))
        loss = losses.total(terms, stage.weights or DEFAULT_WEIGHTS[stage.kind])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = [values for group in optimiser.param_groups for values in group["params"]]
        gradient = float(nn.utils.clip_grad_norm_(parameters, self.recipe.clip_norm))
        if not math.isfinite(gradient):
            raise VINetError(f"stage {stage.name} diverged at its step {step}: lower its learning_rate and start anew")
        optimiser.step()
        return {
            "rate": rate,
            "gradient": gradient,
            "loss": float(loss.detach()),
            **{n: float(v.detach()) for n, v in terms.items()},
        }

    @torch.no_grad()
    def _validated(self, stage: Stage) -> dict[str, float]:
        """Mean terms of the averaged network on scenes that are the same every time and never trained on."""
        averaged: Any = self.average.module
        objective = self._objective(averaged, stage)
        sums: dict[str, float] = {}
        count = self.recipe.validation_batches
        for batch in range(count):
            position = ("validation", stage.name, batch)
            terms = self._terms(objective, objective, position, stage.motion_px[1], validation=True)
            terms["loss"] = losses.total(terms, stage.weights or DEFAULT_WEIGHTS[stage.kind])
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value) / count
        return sums

    def _terms(
        self,
        module: nn.Module,
        objective: Objective,
        position: tuple[object, ...],
        motion_px: float,
        *,
        validation: bool = False,
    ) -> Terms:
        """What `module`, the objective or what wraps it, makes of the scene at `position`."""
        stage = objective.stage
        shown = shown_at(stage, position)
        lead = shown + lead_at(stage, position)
        scene, times = self.data.scene(stage, objective.frames(lead), position, motion_px, validation=validation)
        carried = carried_at(stage, lead + stage.targets, position)
        with self._precision():
            terms: Terms = module(Shown(scene, shown) if shown else scene, times, lead, carried)
        return terms

    def _precision(self) -> contextlib.AbstractContextManager[object]:
        kind = self.these.device.type
        if self.recipe.precision == "bfloat16" or (self.recipe.precision == "auto" and kind == "cuda"):
            return torch.autocast(kind, torch.bfloat16)
        return contextlib.nullcontext()

    def _save(self, optimiser: torch.optim.Optimizer) -> None:
        random = [torch.get_rng_state()]
        if self.these.device.type == "cuda":
            random.append(torch.cuda.get_rng_state(self.these.device))
        begun = self._begun()
        state = {
            "stages": begun,
            "digest": self.recipe.digest(begun),
            "done": self.done,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.module.state_dict(),
            "optimiser": optimiser.state_dict(),
            "random": random,
        }
        checkpoint.save(state, self.folder / "checkpoint.pt")

    def _begun(self) -> int:
        """How many stages have taken a step."""
        ends = list(accumulate(stage.steps for stage in self.recipe.stages))
        return 1 + bisect_left(ends, self.done)

    def _resume(self) -> None:
        state = checkpoint.load(self.folder / "checkpoint.pt")
        if state is not None and state["digest"] != self.recipe.digest(state["stages"]):
            raise VINetError(
                f"{self.folder} holds a training of another recipe (see its recipe.json): "
                "name another folder with --output"
            )
        if self.these.leads:
            text = json.dumps(self.recipe.to_dict(), indent=2)
            (self.folder / "recipe.json").write_text(text + "\n", encoding="utf-8")
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        checkpoint.continue_average(self.average, state["average"], state["done"])
        self._optimiser_state = state["optimiser"]
        self.done, self.seconds = state["done"], state["seconds"]
        torch.set_rng_state(state["random"][0])
        if self.these.device.type == "cuda" and len(state["random"]) > 1:
            torch.cuda.set_rng_state(state["random"][1], self.these.device)

    def _export(self, path: Path) -> Path:
        if self.these.leads:
            copied = copy.deepcopy(self.average.module)  # which becomes half precision
            export(copied, path, self.recipe, self.done, self.seconds, self.these.device)
        return path


def learning_rate(stage: Stage, step: int) -> float:
    """Linear warm-up, then a cosine from the first rate to `final_rate` of it; a function of the step alone."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / stage.steps))
    growing = min(1.0, (step + 1) / (stage.warm_up + 1))
    return stage.learning_rate * growing * (stage.final_rate + (1 - stage.final_rate) * cosine)


@contextlib.contextmanager
def _alone(folder: Path, these: Processes) -> Any:
    """Hold the folder's lock, which the system lets go of even after kill -9; only the leading process writes."""
    if not these.leads:
        yield
        return
    try:
        with FileLock(folder / "lock", timeout=0):
            for rest in folder.glob(REST):  # of a process that was killed while it wrote
                rest.unlink()
            yield
    except Timeout as error:
        raise VINetError(f"another training is running in {folder}") from error
