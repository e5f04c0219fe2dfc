"""Protocols: strict, versioned, and with a digest that moves when, and only when, a decision does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vibench.errors import InputError
from vibench.protocol import FOLDER, Protocol, bundled_protocols, load_protocol, quantise

MINIMAL = """
name = "tiny"
version = 1
title = "Tiny"
description = "For tests."
seed = 1
[data]
dataset = "bundled"
[[holes]]
name = "square"
generator = "stationary-square"
[scoring]
metrics = ["psnr"]
"""


def from_text(tmp_path: Path, text: str) -> Protocol:
    path = tmp_path / "tiny.toml"
    path.write_text(text)
    return load_protocol(str(path))


def test_every_bundled_protocol_is_valid_and_named_like_its_file() -> None:
    labels = [protocol.label for protocol in bundled_protocols()]
    assert sorted(labels) == sorted(path.stem for path in FOLDER.glob("*.toml"))
    assert "davis-stationary@1" in labels


# What was published stays what it was: a protocol that must change gets a new version instead.
DIGESTS = {
    "bundled@1": "94d733a784e8e348",
    "davis-object@1": "819af5ee02b09b1d",
    "davis-object-loose@1": "791e66e099a6a1d3",
    "davis-object-raw@1": "5f99f8815dc70363",
    "davis-stationary@1": "a0a8514a63064d87",
    "e2fgvi-davis@1": "17f117905e93e7cf",
    "propainter-davis@1": "7ceb4bbf548694b8",
    "removal@1": "1d340ee7aaf910e4",
    "sttn-davis@1": "eefd826050cfb03e",
    "synthetic@1": "190a83ef2797bc09",
    "synthetic@2": "a81209dbd88aa86e",
    "synthetic-loose@1": "861b7b7588147578",
    "vinet-davis-fvid@1": "2edf11000a7b5ff8",
    "vinet-removal@1": "d407a3accc411bab",
    "vinet-retarget@1": "ddc39465c3bde876",
    "vinet-sintel@1": "f40703afa314ee35",
    "youtube-vos-stationary@1": "c18d60a45afe4ac9",
}


def test_no_published_protocol_ever_changes() -> None:
    assert {protocol.label: protocol.digest[:16] for protocol in bundled_protocols()} == DIGESTS


def test_words_may_be_mended_without_a_new_digest(tmp_path: Path) -> None:
    mended = MINIMAL.replace("For tests.", "For the tests.")
    assert from_text(tmp_path, MINIMAL).digest == from_text(tmp_path, mended).digest


def test_headline_columns_are_of_metrics_that_are_measured_and_decide_nothing(tmp_path: Path) -> None:
    chosen = from_text(tmp_path, MINIMAL.replace("seed = 1", 'seed = 1\nheadline = ["psnr/hole"]'))
    assert chosen.headline == ("psnr/hole",) and chosen.digest == from_text(tmp_path, MINIMAL).digest
    for key in ("lpips-alex/hole", "psnr"):
        with pytest.raises(InputError, match=f"'{key}' is none"):
            from_text(tmp_path, MINIMAL.replace("seed = 1", f'seed = 1\nheadline = ["{key}"]'))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed = 1", "seed = 2"),
        ("version = 1", "version = 2"),
        ('dataset = "bundled"', 'dataset = "bundled"\nframes = 5'),
        ('generator = "stationary-square"', 'generator = "moving-square"'),
        ('generator = "stationary-square"', 'generator = "stationary-square"\ndilation_iterations = 4'),
        ("[scoring]", '[resize]\nwidth_px = 432\nheight_px = 240\nfilter = "area"\n[scoring]'),
        ("[scoring]", '[scoring]\nquantise = "truncate"'),
        ("[scoring]", '[scoring]\ncomposite = "none"'),
        ("[scoring]", '[scoring]\naveraging = "frames"'),
    ],
)
def test_every_decision_is_in_the_digest(tmp_path: Path, old: str, new: str) -> None:
    assert old in MINIMAL
    assert from_text(tmp_path, MINIMAL).digest != from_text(tmp_path, MINIMAL.replace(old, new)).digest


REMOVAL = MINIMAL.replace('generator = "stationary-square"', 'source = "objects"').replace(
    "seed = 1", 'seed = 1\ntask = "remove"'
)


RAW = MINIMAL.replace("[scoring]", '[scoring]\ncomposite = "none"')


@pytest.mark.parametrize(
    ("base", "place", "unset", "changed"),
    [
        (REMOVAL, "seed = 1", 'sees = "holed"', 'sees = "everything"'),
        (RAW, "[scoring]", "", "kept_margin_px = 4"),
    ],
)
def test_a_later_field_counts_only_where_it_is_set(
    tmp_path: Path, base: str, place: str, unset: str, changed: str
) -> None:
    """Protocols of users from before the field keep their digests, and so their runs."""
    plain, same, other = (
        from_text(tmp_path, base.replace(place, f"{place}\n{line}")).digest for line in ("", unset, changed)
    )
    assert plain == same != other


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("version = 1", "version = 0", "version"),
        ("version = 1", 'version = "one"', "version"),
        ("seed = 1", "sede = 1", "seed|sede"),
        ('generator = "stationary-square"', "", "generator"),
        ('name = "tiny"', 'name = "../tiny"', "name"),
        ('metrics = ["psnr"]', "metrics = []", "scoring.metrics"),
        ("[scoring]", '[resize]\nwidth_px = 432\nheight_px = 240\nfilter = "bicubic"\n[scoring]', "resize.filter"),
        ("seed = 1", "seed = [", "not valid TOML"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        from_text(tmp_path, MINIMAL.replace(old, new, 1))


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(InputError, match="davis-stationary@1"):
        load_protocol("davis-stationery")
    with pytest.raises(InputError, match="no protocol is called 'davis-stationary@9'"):
        load_protocol("davis-stationary@9")


def test_a_case_keeps_its_seed_when_other_clips_come_and_go(tmp_path: Path) -> None:
    protocol = from_text(tmp_path, MINIMAL)
    alone = [case.seed for case in protocol.plan(["b"])]
    among = [case.seed for case in protocol.plan(["a", "b", "c"]) if case.clip == "b"]
    assert alone == among


def test_repeats_draw_different_holes_under_different_names(tmp_path: Path) -> None:
    protocol = from_text(tmp_path, MINIMAL.replace("seed = 1", "seed = 1\nrepeats = 3"))
    cases = list(protocol.plan(["a"]))
    assert [case.name for case in cases] == ["a/square/0", "a/square/1", "a/square/2"]
    assert len({case.seed for case in cases}) == 3


def test_quantising_rounds_half_away_from_zero_or_cuts_off() -> None:
    values = np.array([-3.0, 0.49, 0.5, 1.5, 2.5, 254.6, 300.0])
    assert quantise(values, "round").tolist() == [0, 0, 1, 2, 3, 255, 255]
    assert quantise(values, "truncate").tolist() == [0, 0, 0, 1, 2, 254, 255]


@pytest.mark.parametrize("protocol", bundled_protocols(), ids=lambda protocol: protocol.label)
def test_every_bundled_protocol_says_what_a_report_shows_first_and_its_metrics_have_these_regions(
    protocol: Protocol,
) -> None:
    assert len(protocol.headline) in (3, 4)
    put_back = protocol.scoring.composite == "holes"
    kept = "kept" if not protocol.scoring.kept_margin_px else f"kept-{protocol.scoring.kept_margin_px}px"
    for key in protocol.headline:
        metric, _, region = key.partition("/")
        assert region in {"frame", "hole", "features"} | (set() if put_back else {kept, "effect"})
        assert (region == "features") == metric.startswith("vfid")
        assert region != "effect" or protocol.data.dataset == "synthetic-effects"
