"""Documents that are read strictly: an unknown key is an error, and a fault is told in one sentence."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError


class Frozen(BaseModel):
    """Validated, immutable, and strict about unknown keys: a foreign file is not a record."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def first_fault(error: ValidationError) -> str:
    """The first fault pydantic found, as one sentence: where, what was there, what would be right."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"]) or "the file"
    value = fault.get("input")
    shown = f" (it is {value!r})" if isinstance(value, str | int | float) else ""
    return f"{place}: {fault['msg']}{shown}"
