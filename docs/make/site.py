"""Hooks of the documentation site: pages of reference are made from the code, and links that leave docs/ become paths.

``mkdocs build --strict`` calls these functions; ``make site`` does it.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import click
import typer

CHECKOUT = Path(__file__).parents[2]
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of reference."""
    from mkdocs.structure.files import File

    for name, make in PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=make()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """A link to a file of the repository that is no page of the site is shown as that file's path."""
    here = (Path(config["docs_dir"]) / page.file.src_uri).parent

    def shown(match: re.Match[str]) -> str:
        target = (here / match[2]).resolve()
        on_site = target.is_relative_to(config["docs_dir"]) and target.is_file()
        if on_site or not target.is_relative_to(CHECKOUT) or not target.exists():
            return match[0]
        path = str(target.relative_to(CHECKOUT))
        return f"`{path}`" if path in match[1] or match[1].strip("`") == Path(path).name else f"{match[1]} (`{path}`)"

    return _LINK.sub(shown, markdown)


def python() -> str:
    """Every public name of ``import vibench``, from its docstring."""
    import vibench

    lines = ["# Python", "", (inspect.getdoc(vibench) or "").replace("::", ":"), ""]
    for module, names in vibench._HOMES.items():
        for name in names:
            lines += [f"::: {module}.{name}", ""]
    return "\n".join(lines)


def commands() -> str:
    """Every command of both programs, from its own help."""
    import vibench.cli.app
    import vinet.cli

    lines = ["# Commands", "", "Each command prints the same with `--help`.", ""]
    for program, app in (("vibench", vibench.cli.app.app), ("vinet", vinet.cli.app)):
        lines += _command(program, typer.main.get_command(app))
    return "\n".join(lines)


def _command(path: str, command: click.Command) -> list[str]:
    children = getattr(command, "commands", {})
    if not children:
        usage = " ".join(command.collect_usage_pieces(click.Context(command, info_name=path)))
        lines = [f"## {path}", "", _plain(command.help), "", "```text", f"{path} {usage}", "```", ""]
        lines += ["| option | what it does |", "|---|---|"]
        lines += [f"| {_spelled(one)} | {_cell(_plain(getattr(one, 'help', '')))} |" for one in command.params]
        return [*lines, ""]
    return [line for name, child in children.items() for line in _command(f"{path} {name}", child)]


def _spelled(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return f"`{parameter.make_metavar(click.Context(click.Command('x')))}`".replace("|", "&#124;")
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _plain(text: str | None) -> str:
    """Help without the marks that the terminal's library needs."""
    return (text or "").replace("\\[", "[").replace("\b", "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("[", "\\[")


def _listed(title: str, kind: str, about: str) -> str:
    """What ``vibench list`` says of each thing, in full."""
    import vibench

    lines = [f"# {title}", "", about, ""]
    for one in getattr(vibench, f"list_{kind}")():
        options = f"\n\nOptions: {', '.join(f'`{option}`' for option in one.options)}" if one.options else ""
        lines += [f"## {one.name}", "", (one.help or one.about) + options, ""]
    return "\n".join(lines)


def methods() -> str:
    """Every method, from what it says of itself."""
    return _listed("Methods", "methods", "As `vibench list methods` prints them; `--methods NAME[option=value]`.")


def metrics() -> str:
    """Every metric, with its source, from what it says of itself."""
    about = "As `vibench list metrics` prints them; [Calibration](../calibration.md) has them beside the originals."
    return _listed("Metrics", "metrics", about)


def datasets() -> str:
    """Every card of a data set: title, licence, source."""
    from vibench.data.dataset import cards

    lines = ["# Data sets", "", "| name | what it is | licence | source |", "|---|---|---|---|"]
    lines += [f"| `{c.name}` | {_cell(c.title)} | {_cell(c.licence)} | {_cell(c.source)} |" for c in cards()]
    return "\n".join([*lines, ""])


def protocols() -> str:
    """Every protocol, from its own TOML file."""
    from vibench.protocol import FOLDER, bundled_protocols

    lines = ["# Protocols", "", "Each is its own file, which is never edited; its digest is in every record.", ""]
    for protocol in bundled_protocols():
        text = (FOLDER / f"{protocol.label}.toml").read_text(encoding="utf-8").strip()
        lines += [f"## {protocol.label}", "", f"{protocol.title}. {protocol.description.strip()}", ""]
        lines += [f"Digest `{protocol.digest}`.", "", "```toml", text, "```", ""]
    return "\n".join(lines)


def records() -> str:
    """Every field of the files of a run, from their JSON schemas."""
    lines = ["# Records", "", "The fields of a run's files, from the schemas that `docs/make/schemas.py` makes; "]
    lines += ["[schemas.md](../schemas.md) says what may change and when.", ""]
    for name in ("record", "run"):
        schema = json.loads((CHECKOUT / "docs" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
        for title, part in {name: schema, **schema.get("$defs", {})}.items():
            required = part.get("required", [])
            lines += [f"## {title}", "", (part.get("description") or "").replace("``", "`"), ""]
            lines += ["| field | type | |", "|---|---|---|"]
            lines += [
                f"| `{field}` | {_cell(_type(says))} | {'required' if field in required else ''} |"
                for field, says in part.get("properties", {}).items()
            ]
            lines.append("")
    return "\n".join(lines)


def _type(says: dict[str, Any]) -> str:
    """A JSON schema's type in words."""
    if "$ref" in says:
        return str(says["$ref"].rpartition("/")[2])
    if "anyOf" in says:
        return " or ".join(_type(one) for one in says["anyOf"])
    if "enum" in says:
        return " or ".join(json.dumps(one) for one in says["enum"])
    if says.get("type") == "array":
        return f"list of {_type(says.get('items', {}))}"
    if says.get("type") == "object" and isinstance(says.get("additionalProperties"), dict):
        return f"map to {_type(says['additionalProperties'])}"
    return str(says.get("type", "anything"))


PAGES = {
    "python": python, "commands": commands, "methods": methods, "metrics": metrics, "datasets": datasets,
    "protocols": protocols, "records": records,
}  # fmt: skip
