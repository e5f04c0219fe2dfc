"""What a method says of itself, as JSON knows it: numbers of numpy, arrays and paths become those of Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vibench.errors import InputError, foreign, one_line, shown_name

MOST_DESCRIBED_VALUES = 1000
"""Longer arrays are no description of a method."""


def described(method: Any) -> dict[str, Any]:
    """What ``method.describe()`` gives, as JSON knows it; nothing where the method does not describe itself.

    Numbers, texts and arrays of numpy become those of Python, and paths become texts. Raises InputError, which names
    the class and the reason, where it raises or ends the program, where it does not give a mapping with texts as keys,
    and where a value is not finite, has too many parts, or is of a kind that JSON does not have.
    """
    describe = getattr(method, "describe", None)
    if not callable(describe):
        return {}
    name = f"{type(method).__module__}:{type(method).__qualname__}"
    with foreign(f"{name}.describe() cannot be used"):
        found = describe()
        if not isinstance(found, Mapping):
            raise InputError(f"{name}.describe() gives {one_line(repr(found), 80)}, and must give a dictionary")
        made: dict[str, Any] = _as_json(found, "")
        return made


def _as_json(value: Any, place: str) -> Any:
    """A value of a description as JSON knows it; ``place`` says where it stands. Raises ValueError."""
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        if getattr(value, "size", 1) > MOST_DESCRIBED_VALUES:
            raise ValueError(f"{place} is an array of more than {MOST_DESCRIBED_VALUES} values")
        value = value.tolist()
    elif hasattr(value, "numel") and hasattr(value, "tolist"):
        value = value.tolist() if value.numel() <= MOST_DESCRIBED_VALUES else object()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{place} is {value}; a description holds finite numbers")
        return float(value)
    if isinstance(value, str | Path):
        return shown_name(str(value))
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"{place or 'it'} has the key {one_line(repr(wrong[0]), 80)}, and a key must be a text")
        return {shown_name(key): _as_json(inner, f"{place}.{key}".strip(".")) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        if len(value) > MOST_DESCRIBED_VALUES:
            raise ValueError(f"{place} has more than {MOST_DESCRIBED_VALUES} parts")
        return [_as_json(inner, f"{place}[{index}]") for index, inner in enumerate(value)]
    raise ValueError(f"{place} is a {type(value).__name__}; give numbers, texts, lists and dictionaries")
