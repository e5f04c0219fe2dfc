"""Fills the page templates; every value is escaped unless it is markup that this package made itself."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, context: dict[str, Any]) -> str:
    """A page as text. A name that the template uses and ``context`` lacks is an error."""
    return _environment().get_template(template).render(context)


def script_data(value: Any) -> Markup:
    """JSON for a ``<script type="application/json">``: nothing in it can end the element or begin another."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = _asset
    environment.filters["script_data"] = script_data
    return environment


def _asset(name: str) -> Markup:
    """A style sheet or script of ours, to stand inside the page: a page then needs no second file to look right."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))
