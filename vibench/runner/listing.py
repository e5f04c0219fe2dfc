"""What there is: one name and one line for every method, metric, mask, protocol, data set and run."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vibench import plugins
from vibench.errors import UserError
from vibench.plugins.outline import Outline


class Listed(NamedTuple):
    """One thing: its name as commands take it, a line about it, and the options that may follow the name in brackets.

    ``help`` is all that it says of itself, as plain text; empty where that is the line.
    """

    name: str
    about: str
    options: tuple[str, ...] = ()
    help: str = ""


def list_methods() -> list[Listed]:
    """Every method that is installed, and every program for which vibench has a method file, with their options."""
    return sorted([*_plugins("methods"), *_programs()])


def list_metrics() -> list[Listed]:
    """Every metric that is installed, with its options."""
    return list(_plugins("metrics"))


def list_masks() -> list[Listed]:
    """Every generator of holes that is installed, with its options."""
    return list(_plugins("masks"))


def list_protocols() -> list[Listed]:
    """Every protocol that can be named: those that come with vibench, and those that are included."""
    from vibench.protocol import known_protocols

    return sorted(Listed(protocol.label, protocol.title) for protocol in known_protocols())


def list_datasets() -> list[Listed]:
    """Every data set that has a card."""
    from vibench.data.dataset import known_cards

    return [Listed(card.name, card.title) for card in known_cards()]


def list_runs(output: str | Path = "results") -> list[Listed]:
    """Every run right inside ``output``, named by its folder or URL, as ``open_run`` and all commands take it."""
    return list(_runs(Path(output)))


def _plugins(kind: plugins.Kind) -> Iterator[Listed]:
    for name in plugins.names(kind):
        try:
            build = plugins.outlined(kind, name)
            parameters = plugins.signature(build, plugins.Spec(name))
        except UserError as error:
            yield Listed(name, f"unavailable: {error}")
            continue
        options = tuple(key for key in parameters if key not in _GIVEN)
        said = build.doc if isinstance(build, Outline) else inspect.getdoc(build) or ""
        yield Listed(name, said.partition("\n")[0], options, said)


def _programs() -> Iterator[Listed]:
    from vibench.runner.programs.method_file import INSTALLED, load_method_file, shipped
    from vibench.runner.programs.template import names_in

    for path in shipped():
        file = load_method_file(path)
        used = {name for text in (*file.templates, *file.version) for name in names_in(text)}
        places = tuple(name for name in INSTALLED if name in used)
        about = f"{file.title}: a program of its own"
        yield Listed(file.name, about, (*places, *file.options), f"{about}.\n\n{file.citation}\n\n{file.licence}")


# What the harness passes by itself, and so no option of a plug-in.
_GIVEN = frozenset({"device", "frames", "height", "width", "seed", "kwargs"})


def _runs(output: Path) -> Iterator[Listed]:
    from vibench.files.mirror import shown_place
    from vibench.results.store import Store, runs_in

    for folder in runs_in(output):
        try:
            store = Store.open(folder)
        except UserError as error:
            yield Listed(shown_place(folder), f"unreadable: {error}")
            continue
        info, records = store.info, store.records()
        methods = ", ".join(facts.label for facts in info.methods)
        about = f"{info.protocol_label}: {methods}; {len(records)} records, started {info.started}"
        yield Listed(shown_place(folder), about)
