"""vibench: honest measurement of video inpainting.

Everything that the command ``vibench`` does is here as a function::

    import vibench

    vibench.measure("lpips-alex", frames, truth, holes)      # one metric on two arrays
    vibench.fill("vinet[memory=false]", frames, holes)       # one method on one clip
    run = vibench.run("bundled", ["telea", "vinet"])         # methods on the cases of a protocol
    run.values                                               # a row a method, case, metric and region
    vibench.compare(f"{run.folder}::telea", f"{run.folder}::vinet")

Names are loaded when they are first used, so that ``import vibench`` loads neither numpy nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vibench.clip import Case, Clip, ExactFlow, Holed
    from vibench.data.cases import export_cases
    from vibench.data.copy import check_dataset, fetch_dataset
    from vibench.data.manifest import write_manifest
    from vibench.data.own_protocol import comparable, new_protocol, protocol_differences
    from vibench.errors import InputError, MissingResource, UserError
    from vibench.files import cache_root
    from vibench.media.box import Box
    from vibench.method import DescribedMethod, Method, StreamingMethod
    from vibench.metric import Metric, MetricInfo, Series
    from vibench.metrics.cache import cache_state, clear_cache
    from vibench.metrics.measure import Measured, measure
    from vibench.plugins.definitions import include
    from vibench.protocol import Protocol, load_protocol
    from vibench.regress.finding import Regression, exit_status
    from vibench.regress.regress import find_regressions
    from vibench.regress.text import regression_text
    from vibench.report.chosen_table import table_text
    from vibench.report.comparison import comparison_text
    from vibench.report.figure import write_figure
    from vibench.report.film import write_video
    from vibench.report.frames import write_frames
    from vibench.report.history import history_text
    from vibench.report.page.folder import write_report
    from vibench.report.page.history import write_history
    from vibench.report.paper_table import begun_run, load_paper_table, paper_tables, write_paper_table
    from vibench.report.publish.publish import publish, published_texts
    from vibench.report.terminal import print_summary
    from vibench.results.comparison import Comparison, Incomparable, compare
    from vibench.results.history import History, history
    from vibench.results.merge import Merged, merge
    from vibench.results.pack import pack
    from vibench.results.record import Record
    from vibench.results.run import Run, open_run
    from vibench.runner.doctor import Examined, doctor_text, examine
    from vibench.runner.fill import fill
    from vibench.runner.forecast import fill_forecast
    from vibench.runner.inpaint import inpaint
    from vibench.runner.listing import list_datasets, list_masks, list_methods, list_metrics, list_protocols, list_runs
    from vibench.runner.retarget import retarget
    from vibench.runner.run import Listener, run, score
    from vibench.speed.measure import measure_speed
    from vibench.speed.measurement import SpeedMeasurement
    from vibench.speed.profile import Profile, profile_method
    from vibench.speed.text import profile_text, speed_text
    from vibench.study.page import make_study
    from vibench.study.score import StudyScore, score_study, study_text

__version__ = "0.2.0"

__all__ = [
    "Box",
    "Case",
    "Clip",
    "Comparison",
    "DescribedMethod",
    "ExactFlow",
    "Examined",
    "History",
    "Holed",
    "Incomparable",
    "InputError",
    "Listener",
    "Measured",
    "Merged",
    "Method",
    "Metric",
    "MetricInfo",
    "MissingResource",
    "Profile",
    "Protocol",
    "Record",
    "Regression",
    "Run",
    "Series",
    "SpeedMeasurement",
    "StreamingMethod",
    "StudyScore",
    "UserError",
    "begun_run",
    "cache_root",
    "cache_state",
    "check_dataset",
    "clear_cache",
    "comparable",
    "compare",
    "comparison_text",
    "doctor_text",
    "examine",
    "exit_status",
    "export_cases",
    "fetch_dataset",
    "fill",
    "fill_forecast",
    "find_regressions",
    "history",
    "history_text",
    "include",
    "inpaint",
    "list_datasets",
    "list_masks",
    "list_methods",
    "list_metrics",
    "list_protocols",
    "list_runs",
    "load_paper_table",
    "load_protocol",
    "make_study",
    "measure",
    "measure_speed",
    "merge",
    "new_protocol",
    "open_run",
    "pack",
    "paper_tables",
    "print_summary",
    "profile_method",
    "profile_text",
    "protocol_differences",
    "publish",
    "published_texts",
    "regression_text",
    "retarget",
    "run",
    "score",
    "score_study",
    "speed_text",
    "study_text",
    "table_text",
    "write_figure",
    "write_frames",
    "write_history",
    "write_manifest",
    "write_paper_table",
    "write_report",
    "write_video",
]

_HOMES = {
    "vibench.clip": ("Case", "Clip", "ExactFlow", "Holed"),
    "vibench.data.cases": ("export_cases",),
    "vibench.data.copy": ("check_dataset", "fetch_dataset"),
    "vibench.data.manifest": ("write_manifest",),
    "vibench.data.own_protocol": ("comparable", "new_protocol", "protocol_differences"),
    "vibench.errors": ("InputError", "MissingResource", "UserError"),
    "vibench.files": ("cache_root",),
    "vibench.media.box": ("Box",),
    "vibench.method": ("DescribedMethod", "Method", "StreamingMethod"),
    "vibench.metric": ("Metric", "MetricInfo", "Series"),
    "vibench.metrics.cache": ("cache_state", "clear_cache"),
    "vibench.metrics.measure": ("Measured", "measure"),
    "vibench.plugins.definitions": ("include",),
    "vibench.protocol": ("Protocol", "load_protocol"),
    "vibench.regress.finding": ("Regression", "exit_status"),
    "vibench.regress.regress": ("find_regressions",),
    "vibench.regress.text": ("regression_text",),
    "vibench.report.chosen_table": ("table_text",),
    "vibench.report.comparison": ("comparison_text",),
    "vibench.report.figure": ("write_figure",),
    "vibench.report.film": ("write_video",),
    "vibench.report.frames": ("write_frames",),
    "vibench.report.history": ("history_text",),
    "vibench.report.page.folder": ("write_report",),
    "vibench.report.page.history": ("write_history",),
    "vibench.report.paper_table": ("begun_run", "load_paper_table", "paper_tables", "write_paper_table"),
    "vibench.report.publish.publish": ("publish", "published_texts"),
    "vibench.report.terminal": ("print_summary",),
    "vibench.results.comparison": ("Comparison", "Incomparable", "compare"),
    "vibench.results.history": ("History", "history"),
    "vibench.results.merge": ("Merged", "merge"),
    "vibench.results.pack": ("pack",),
    "vibench.results.record": ("Record",),
    "vibench.results.run": ("Run", "open_run"),
    "vibench.runner.doctor": ("Examined", "doctor_text", "examine"),
    "vibench.runner.fill": ("fill",),
    "vibench.runner.forecast": ("fill_forecast",),
    "vibench.runner.inpaint": ("inpaint",),
    "vibench.runner.listing": (
        "list_datasets",
        "list_masks",
        "list_methods",
        "list_metrics",
        "list_protocols",
        "list_runs",
    ),
    "vibench.runner.retarget": ("retarget",),
    "vibench.runner.run": ("Listener", "run", "score"),
    "vibench.speed.measure": ("measure_speed",),
    "vibench.speed.measurement": ("SpeedMeasurement",),
    "vibench.speed.profile": ("Profile", "profile_method"),
    "vibench.speed.text": ("profile_text", "speed_text"),
    "vibench.study.page": ("make_study",),
    "vibench.study.score": ("StudyScore", "score_study", "study_text"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'vibench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
