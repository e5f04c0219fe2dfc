"""vibench: honest measurement of video inpainting.

Names are loaded when first used, so that the command line answers before numpy and torch are imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vibench.clip import Case, Clip, ExactFlow, Holed
    from vibench.errors import InputError, MissingResource, UserError
    from vibench.method import DescribedMethod, Method, StreamingMethod
    from vibench.metric import Metric, MetricInfo, Series

__version__ = "0.1.0"

__all__ = [
    "Case",
    "Clip",
    "DescribedMethod",
    "ExactFlow",
    "Holed",
    "InputError",
    "Method",
    "Metric",
    "MetricInfo",
    "MissingResource",
    "Series",
    "StreamingMethod",
    "UserError",
]

_HOMES = {
    "vibench.clip": ("Case", "Clip", "ExactFlow", "Holed"),
    "vibench.errors": ("InputError", "MissingResource", "UserError"),
    "vibench.method": ("DescribedMethod", "Method", "StreamingMethod"),
    "vibench.metric": ("Metric", "MetricInfo", "Series"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'vibench' has no attribute {name!r}")
