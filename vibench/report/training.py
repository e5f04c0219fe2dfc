"""How weights were trained, in words: the whole history where it is known, else what the file's own header says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from vibench.document import Frozen, read_toml
from vibench.files import bundled
from vibench.results.record import MethodFacts

NOTES = "weights_notes"
"""The fact under which a method tells what the header of its weights says of their last training."""


class Trainings(Frozen):
    """How bundled weights were trained, all recipes and stages in words, by their sha256."""

    trained: dict[str, str]


def training_of(facts: MethodFacts) -> str | None:
    """Say by which recipes and stages a method's weights were trained, from the first to the last; None if unknown."""
    return _known().trained.get(str(facts.facts.get("weights_sha256")))


@lru_cache(maxsize=1)
def _known() -> Trainings:
    return read_toml(bundled("reports") / "trainings.toml", Trainings, "list of trainings")


def last_training(facts: MethodFacts) -> str | None:
    """Put the header of a method's weights into words: the last recipe, its stages and steps; None without one.

    A file's header knows the last training only, which may have continued others. Its entries may be anything.
    """
    notes = facts.facts.get(NOTES)
    if not isinstance(notes, Mapping) or not notes:
        return None
    told = dict(notes)
    parts = [f"recipe {told.pop('recipe')}"] if "recipe" in told else []
    for name, words in (("stages", "stages {}"), ("steps", "taken after {} steps")):
        if name in told:
            parts.append(words.format(told.pop(name)))
    seconds = _number(told.pop("training_seconds", None))
    parts += [f"{seconds / 60:,.0f} minutes".replace(",", " ")] if seconds is not None else []
    parts += [f"{str(name).replace('_', ' ')} {value}" for name, value in sorted(told.items())]
    return ", ".join(parts)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
