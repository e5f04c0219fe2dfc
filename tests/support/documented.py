"""The commands that Markdown shows: in blocks for a console or a shell, in steps of a workflow, and in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import yaml

PROGRAMS = ("vibench", "vinet", "make", "pip", "python", "git", "hf", "srun", ".ci/run", "mkdocs", "uv", "podman")
"""What a command begins with; ``--methods`` in the text stands for ``vibench run --methods``."""

_BLOCK = re.compile(r"^(?P<fence>```+)(?P<language>\w*)[^`\n]*\n(?P<content>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


class Block(NamedTuple):
    """A fenced block: the word behind the fence, and what is in it."""

    language: str
    content: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(match["language"], match["content"]) for match in _BLOCK.finditer(text)]


def commands(text: str) -> list[str]:
    """The commands of a page, in its order, each once: without prompts and comments, on one line."""
    found: dict[str, None] = {}
    place = 0
    for match in _BLOCK.finditer(text):
        found |= dict.fromkeys(_of_text(text[place : match.start()]))
        found |= dict.fromkeys(_of_block(Block(match["language"], match["content"])))
        place = match.end()
    return [*(found | dict.fromkeys(_of_text(text[place:])))]


def _of_text(text: str) -> Iterator[str]:
    for span in _SPAN.findall(text):
        words = " ".join(span.split())
        if re.match(r"--methods \S", words):
            yield f"vibench run {words}"
        elif _is_command(words):
            yield words


def _of_block(block: Block) -> Iterator[str]:
    content = block.content
    if block.language == "yaml":
        document = yaml.safe_load(content)
        steps = [step for job in document.get("jobs", {}).values() for step in job["steps"]]
        content = "\n".join(step["run"] for step in steps if "run" in step)
    elif block.language not in ("console", "bash"):
        return
    for line in content.replace("\\\n", " ").splitlines():
        words = " ".join(re.sub(r"\s+#.*", "", line).removeprefix("$ ").split())
        for part in words.split(" && "):
            if _is_command(part):
                yield re.sub(r" \|\| .*", "", part)


def _is_command(words: str) -> bool:
    return words.partition(" ")[0] in PROGRAMS and " " in words
