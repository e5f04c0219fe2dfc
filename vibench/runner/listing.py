"""What there is: one name and one line for every method, metric, mask, protocol, data set and run."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from vibench import plugins
from vibench.errors import UserError

KINDS = ("methods", "metrics", "masks", "protocols", "datasets", "runs")


def listing(kind: str, output: Path) -> Iterator[tuple[str, str]]:
    """(name, about) of each thing of ``kind``; runs are looked for right inside ``output``."""
    if kind in ("methods", "metrics", "masks"):
        yield from _plugins(kind)  # type: ignore[arg-type]
    elif kind == "protocols":
        from vibench.protocol import bundled_protocols

        yield from ((protocol.label, protocol.title) for protocol in bundled_protocols())
    elif kind == "datasets":
        from vibench.data.dataset import cards

        yield from ((card.name, card.title) for card in cards())
    else:
        yield from _runs(output)


def _plugins(kind: plugins.Kind) -> Iterator[tuple[str, str]]:
    for name in plugins.names(kind):
        try:
            build = plugins.factory(kind, name)
        except UserError as error:
            yield name, f"unavailable: {error}"
            continue
        options = ", ".join(key for key in inspect.signature(build).parameters if key not in _GIVEN)
        about = (inspect.getdoc(build) or "").partition("\n")[0]
        yield name, f"{about}" + (f"  [{options}]" if options else "")


# What the harness passes by itself, and so no option of a plug-in.
_GIVEN = frozenset({"device", "frames", "height", "width", "seed", "kwargs"})


def _runs(output: Path) -> Iterator[tuple[str, str]]:
    from vibench.results.store import Store

    for path in sorted(output.glob("*/run.json")):
        try:
            store = Store.open(path.parent)
        except UserError as error:
            yield path.parent.name, f"unreadable: {error}"
            continue
        info, records = store.info, store.records()
        methods = ", ".join(facts.label for facts in info.methods)
        yield path.parent.name, f"{info.protocol_label}: {methods}; {len(records)} records, started {info.started}"
