"""Makes docs/schemas/*.schema.json of the models that vibench reads its files by."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pages import DOCS, keep
from pydantic import BaseModel

from vibench.protocol import Protocol
from vibench.results.findings import KeptComparison
from vibench.results.record import Record, RunInfo

FOLDER = DOCS / "schemas"
MODELS: dict[str, type[BaseModel]] = {
    "record": Record,
    "run": RunInfo,
    "findings": KeptComparison,
    "protocol": Protocol,
}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(model: type[BaseModel]) -> str:
    """The JSON schema of a model, as a file."""
    return json.dumps({"$schema": DIALECT, **model.model_json_schema()}, indent=1, ensure_ascii=False) + "\n"


def path_of(name: str) -> Path:
    """The file of a schema."""
    return FOLDER / f"{name}.schema.json"


def make(check: bool) -> bool:
    """Write or compare the schemas; returns whether all were right already."""
    if not check:
        FOLDER.mkdir(exist_ok=True)
    right = [keep(path_of(name), schema(model), check=check) for name, model in MODELS.items()]
    return all(right)


if __name__ == "__main__":
    check = sys.argv[1:] == ["--check"]
    sys.exit(0 if make(check) or not check else 1)
