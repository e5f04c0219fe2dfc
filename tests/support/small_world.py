"""A folder in which the commands of the documentation run as they stand: what their capitals name lies there, small.

Data sets have two clips of a few frames, and protocols small frames: the card and the protocol are otherwise those that
come with vibench.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome
from davis_layout import write_davis
from documented import blocks
from made_pairs import made, write_pairs, write_part
from PIL import Image
from simulated_study import answered
from training_run import TINY, photo_folder

from vibench.data.dataset import Card, cards
from vibench.protocol import FOLDER
from vibench.study.files import StudyKey

CHECKOUT = Path(__file__).parents[2]
CLIPS = {"blackswan": 4, "camel": 5}
WIDTH_PX, HEIGHT_PX = 96, 72
FRAMES = 6
BUNDLED = f"""dataset = "bundled"
frames = 3
clips = ["carphone"]
[resize]
width_px = {WIDTH_PX}
height_px = {HEIGHT_PX}
filter = "area"
"""


def small_world(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Fill ``folder`` with what commands name, make it the current and the home folder, and make protocols small."""
    patch.chdir(folder)
    patch.setenv("HOME", str(folder))
    patch.setattr("vibench.plugins.definitions._included", {})
    small = [_small(card) for card in cards()]
    patch.setattr("vibench.data.dataset.cards", lambda: small)
    patch.setattr("vibench.protocol.FOLDER", _small_protocols(folder / "protocols"))
    write_davis(folder / "DAVIS", CLIPS, height=HEIGHT_PX, width=WIDTH_PX)
    for seed, name in enumerate(("cats", "dogs")):
        for place in ("clips", "CLIPS"):
            write_part(folder / place / name, made(seed).input)
        for place in ("masks", "MASKS"):
            write_part(folder / place / name, made(seed).masks)
    video = made(3, FRAMES, HEIGHT_PX, WIDTH_PX)
    write_part(folder / "VIDEO", video.input)
    Image.fromarray(np.where(video.masks.any(0), 255, 0).astype(np.uint8)).save(folder / "MASK.png")
    write_pairs(folder / "set", ("ant", "bee"))
    for file in (CHECKOUT / "vibench" / "runner" / "programs" / "files").glob("*.toml"):
        shutil.copy(file, folder)
    for environment in (folder / "ENV", folder / "envs" / "old"):
        (environment / "bin").mkdir(parents=True)
        python = environment / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
    (folder / "vinet").symlink_to(CHECKOUT / "vinet")
    photo_folder(folder / "FOLDER")
    (folder / "tiny.toml").write_text(TINY.format(photos=folder / "FOLDER"))
    shown = blocks((CHECKOUT / "docs" / "tutorials.md").read_text(encoding="utf-8"))
    (method,) = (block.content for block in shown if "class Grey" in block.content)
    for name, part in (("paint.py", "sys.argv"), ("paint.toml", 'name = "paint"')):
        (text,) = (block.content for block in shown if part in block.content)
        (folder / name).write_text(text)
    (folder / "grey.py").write_text(method)
    (folder / "mine.py").write_text(method.replace("Grey", "Method").replace("level: int = 128", "radius: int = 128")
                                    .replace("self.level = level", "self.level = radius"))  # fmt: skip


def data_of_ones_own(folder: Path, page: str, vibench: Callable[..., Outcome]) -> None:
    """What docs/data.md describes in words: a card and a protocol for a paired set of other names."""
    (folder / "own").mkdir()
    (card,) = (block.content for block in blocks(page) if block.language == "toml")
    (folder / "own" / "prove-m.toml").write_text(card)
    for part, called in re.findall(r'^(input|truth|masks) = "(my_\w+)"', card, re.MULTILINE):
        shutil.copytree(folder / "set" / part, folder / "prove" / called)
    assert vibench("protocol", "new", "prove-removal", "--data", "pairs:set", "-o", "own/prove-removal.toml")[0] == 0
    protocol = folder / "own" / "prove-removal.toml"
    protocol.write_text(protocol.read_text().replace('"pairs:set"', '"prove-m"'))


def write_answers(folder: Path) -> None:
    """What two raters of the study in ``folder`` answer, into ``answers1.json`` and ``answers2.json``."""
    key = StudyKey.model_validate_json((folder / "study-key.json").read_text())
    for rater in (1, 2):
        given = answered(key, lambda first, second: min(first, second), rater)
        (folder / f"answers{rater}.json").write_text(given.model_dump_json())


def write_filled(folder: Path) -> None:
    """What another program made of the exported cases in ``folder``: each frame as it was, holes and all."""
    for frames in (folder / "cases").glob("*/*/frames"):
        shutil.copytree(frames, folder / "FILLED" / frames.parent.relative_to(folder / "cases"))


def write_checkpoints(folder: Path) -> None:
    """A network of the published architecture in the released layout and in ours, its weights drawn."""
    from vinet import weights
    from vinet.config import VINetConfig
    from vinet.network.vinet import VINet

    network = VINet(VINetConfig.published())
    weights.save_released(network, folder / "save_agg_rec.pth")
    weights.save(network, folder / "ours.safetensors", {})


def _small(card: Card) -> Card:
    if card.layout != "davis":
        return card
    return card.model_copy(update={"splits": dict.fromkeys(card.splits, CLIPS), "sizes_px": {}})


def _small_protocols(folder: Path) -> Path:
    folder.mkdir()
    for file in FOLDER.glob("*.toml"):
        text = file.read_text(encoding="utf-8")
        for side, pixels in (("width_px", WIDTH_PX), ("height_px", HEIGHT_PX)):
            text = re.sub(rf"^{side} = \d+$", f"{side} = {pixels}", text, flags=re.MULTILINE)
        if 'dataset = "bundled"' in text:
            text = text.replace('dataset = "bundled"', BUNDLED)
            for slow in ('"ssim-gaussian", "ssim-sttn", "lpips-alex", ', '"lpips-alex/hole", '):
                text = text.replace(slow, "")
        (folder / file.name).write_text(text)
    return folder
