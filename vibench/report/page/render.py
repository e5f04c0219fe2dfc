"""Fills the page templates; every value is escaped unless it is markup that this package made itself."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = files("vibench.report.page") / "templates"
"""Pages, style sheets and scripts, wherever the package lies: in a checkout, an installed wheel or a zip file."""


def render(template: str, context: dict[str, Any]) -> str:
    """Return a page as text. A name that the template uses and ``context`` lacks is an error."""
    return _environment().get_template(template).render(context)


def script_data(value: Any) -> Markup:
    """Write JSON for a ``<script type="application/json">``: nothing in it can end the element or begin another."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = _asset
    environment.filters["script_data"] = script_data
    return environment


def _asset(name: str) -> Markup:
    """Return a style sheet or script of ours, to stand inside the page, which then needs no second file."""
    return Markup(_text(name))


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
