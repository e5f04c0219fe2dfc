"""Formats of leaderboards, one file a method: Hugging Face's evaluation results, and Every Eval Ever.

Sources: https://huggingface.co/docs/hub/eval-results and eval.schema.json 0.3.0 of evaleval/every_eval_ever.
"""

from __future__ import annotations

import json
import time
from typing import Any

from vibench.files import slug
from vibench.report.publish.source import Source
from vibench.results.record import MethodFacts
from vibench.results.statistics import CONFIDENCE, RESAMPLES, Estimate
from vibench.results.table import Column, Row

SCHEMA_VERSION = "0.3.0"


def hugging_face(source: Source) -> dict[str, str]:
    """Write a YAML file a method for ``.eval_results/`` of its repository: an entry a metric and region.

    The id of a task is ``METRIC-REGION``, such as ``psnr-hole``, which the benchmark's ``eval.yaml`` must name too.
    """
    return {f"{slug(row.method)}.yaml": "\n".join(_entries(source, row)) + "\n" for row in source.rows}


def _entries(source: Source, row: Row) -> list[str]:
    lines = []
    for column, found in source.numbers(row):
        notes = f"{_in_words(column, found)}; {row.method}; {source.setting}"
        lines += ["- dataset:", f"    id: {_text(source.dataset)}", f"    task_id: {_text(_task(column))}"]
        lines += [f"  value: {found.mean!r}", f"  date: {_text(source.info.started)}"]
        if source.source_url:
            lines += ["  source:", f"    url: {_text(source.source_url)}"]
            lines += [f"    org: {_text(source.organization)}"] if source.organization else []
        lines.append(f"  notes: {_text(notes)}")
    return lines or ["[]"]


def _task(column: Column) -> str:
    return column.key.replace("/", "-")


def _text(text: str) -> str:
    # JSON's strings are YAML's, in double quotes and with the same escapes.
    return json.dumps(text)


def _in_words(column: Column, found: Estimate) -> str:
    unit = f" {column.metric.unit}" if column.metric.unit else ""
    between = f", 95 % interval {found.low:.6g} to {found.high:.6g}" if found.low is not None else ""
    better = f"{column.metric.better} is better"
    return f"{column.metric.title} of the {column.region}{unit}, {better}{between} over {found.count} clips"


def every_eval_ever(source: Source) -> dict[str, str]:
    """Write a JSON file a method, as ``eval.schema.json`` wants it; every metric and region is one evaluation."""
    now = str(int(time.time()))
    facts = {facts.label: facts for facts in source.table.results.methods}
    return {
        f"{slug(row.method)}.json": json.dumps(_evaluation(source, row, facts[row.method], now), indent=1) + "\n"
        for row in source.rows
    }


def _evaluation(source: Source, row: Row, facts: MethodFacts, now: str) -> dict[str, Any]:
    info = source.info
    name = slug(row.method)
    details = {
        "deployment_type": "self_deployed",
        "model_availability": "unknown",
        "factory": facts.factory,
        "source_sha256": facts.source_sha256,
        "options": json.dumps(facts.options),
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{info.protocol_label}/{name}/{now}",
        "evaluation_timestamp": info.started,
        "retrieved_timestamp": now,
        "source_metadata": {
            "source_name": "vibench",
            "source_type": "evaluation_run",
            "source_organization_name": source.organization or "unknown",
            "evaluator_relationship": "other",
            **({"source_organization_url": source.source_url} if source.source_url else {}),
            "additional_details": {"run": info.digest, "protocol_digest": info.protocol_digest},
        },
        "eval_library": {
            "name": "vibench",
            "version": info.versions.get("vibench", "unknown"),
            "additional_details": dict(info.versions),
        },
        "model_info": {"name": row.method, "id": f"vibench/{name}", "additional_details": details},
        "evaluation_results": [_result(source, column, found) for column, found in source.numbers(row)],
    }


def _result(source: Source, column: Column, found: Estimate) -> dict[str, Any]:
    metric = column.metric
    uncertainty: dict[str, Any] = {"num_samples": found.count}
    if found.low is not None and found.high is not None:
        uncertainty["confidence_interval"] = {
            "lower": found.low,
            "upper": found.high,
            "confidence_level": CONFIDENCE,
            "method": f"{found.interval_kind}, over clips",
        }
        if found.interval_kind == "bootstrap":
            uncertainty["num_bootstrap_samples"] = RESAMPLES
    return {
        "evaluation_name": f"{source.info.protocol_label}/{column.key}",
        "source_data": {
            "dataset_name": source.data,
            "source_type": "other",
            "additional_details": {"cases": str(found.cases), "clips": str(found.count)},
        },
        "metric_config": {
            "evaluation_description": source.setting,
            "metric_id": f"vibench.{column.key}",
            "metric_name": f"{metric.title}, {column.region}",
            "metric_unit": metric.unit or "none",
            "lower_is_better": metric.better == "lower",
            # A schema's bound that nobody knows is null; -Infinity would say that there is none.
            "score_type": "continuous",
            "min_score": None,
            "max_score": None,
            "additional_details": {"source": metric.source, "version": str(metric.version)},
        },
        "score_details": {"score": found.mean, "uncertainty": uncertainty},
    }
