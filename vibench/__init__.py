"""vibench: honest measurement of video inpainting."""

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
