"""Data of one's own, from a folder to a report: pairs, clips with masks, sparse masks, worse masks; own protocols."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Outcome
from made_pairs import made, write_pairs, write_part

import vibench as door

Command = Callable[..., Outcome]


def numbers(folder: Path) -> dict[tuple[str, str, str], float]:
    """(method, metric, region) -> mean, from a report's table."""
    with (folder / "tables.csv").open() as file:
        return {
            (row["method"], row["metric"], row["region"]): float(row["mean"])
            for row in csv.DictReader(file)
            if row["mean"]
        }


def measured(vibench: Command, *words: str) -> dict[tuple[str, str, str], float]:
    """Run telea as asked, write the report, and return its numbers."""
    status, out, err = vibench("run", "--methods", "telea", "--in-process", "--output", "runs", *words)
    assert status == 0, (out, err)
    assert vibench("report", "runs", "--output", "report", "--jobs", "1")[0] == 0
    return numbers(Path("report"))


def test_a_paired_set_comes_to_a_report_with_the_truth_s_numbers(vibench: Command, tmp_path: Path) -> None:
    write_pairs(tmp_path / "set", ("ant", "bee"))
    assert vibench("data", "check", "pairs:set")[0] == 0
    found = measured(vibench, "--protocol", "pairs:set")
    assert 10 < found["telea", "psnr", "hole"] < 60
    assert ("telea", "lpips-alex", "hole") in found and (tmp_path / "report" / "index.html").exists()


def test_the_mixed_up_pair_is_named_by_check(vibench: Command, tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "set")
    shutil.rmtree(root / "truth" / "bee")
    shutil.copytree(root / "truth" / "cow", root / "truth" / "bee")
    status, out, err = vibench("data", "check", "pairs:set")
    assert status == 2 and "1 of 4 clips" in err
    wrong = [line for line in out.splitlines() if line.startswith("wrong")]
    assert len(wrong) == 1 and "clip 'bee': outside the mask its input and truth differ by" in wrong[0]
    assert vibench("data", "check", "pairs:set", "--most-difference", "200")[0] == 0


def test_groups_of_a_paired_set_are_slices(vibench: Command, tmp_path: Path) -> None:
    for place, group in enumerate(("shadow", "mirror")):
        for seed in range(2):
            parts = zip(("Unedited", "Edited", "Masked"), made(2 * place + seed), strict=True)
            for folder, part in parts:
                write_part(tmp_path / "set" / group / folder / f"example-{seed}", part)
    measured(vibench, "--protocol", "pairs:set", "--metrics", "psnr")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "group" in page and "shadow" in page and "mirror" in page


def test_a_folder_of_clips_with_masks_comes_to_a_report(vibench: Command, tmp_path: Path) -> None:
    for seed, name in enumerate(("cats", "dogs")):
        write_part(tmp_path / "clips" / name, made(seed).input, ".mp4" if seed else "")
        write_part(tmp_path / "masks" / name, made(seed).masks)
    found = measured(vibench, "--protocol", "folder:clips", "--masks", "masks")
    assert ("telea", "seam", "hole") in found and ("telea", "psnr", "hole") not in found
    assert vibench("run", "--methods", "telea", "--in-process", "-o", "none", "-p", "folder:clips")[0] == 4
    _, out, _ = vibench("list", "runs", "--output", "none")
    (run,) = [line.split()[0] for line in out.splitlines()]
    assert "clip 'cats' has none; --masks FOLDER names some" in next(iter(door.open_run(run).failures.values()))


def test_masks_that_nothing_uses_are_refused(vibench: Command, tmp_path: Path) -> None:
    status, _, err = vibench("run", "-m", "telea", "-p", "bundled", "--masks", str(tmp_path))
    assert status == 2 and "would have no effect: the holes of bundled@1 are drawn by a generator" in err


@pytest.mark.parametrize(("sparse", "frames"), [("annotated", 3), ("nearest", 11)])
def test_sparse_masks_come_to_a_report(sparse: str, frames: int, vibench: Command, tmp_path: Path) -> None:
    write_part(tmp_path / "clips" / "cats", made(0, 11).input)
    write_part(tmp_path / "masks" / "cats", made(0, 11).masks)
    for file in (tmp_path / "masks" / "cats").iterdir():
        if int(file.stem) % 5:
            file.unlink()
    assert vibench("protocol", "new", "mine", "--data", "folder:clips", "--masks", "masks")[0] == 0
    protocol = tmp_path / "mine@1.toml"
    status, _, _ = vibench("run", "-m", "telea", "--in-process", "-o", "refused", "-p", "mine@1.toml")
    assert status == 4
    protocol.write_text(protocol.read_text().replace('# sparse = "nearest"', f'sparse = "{sparse}"'))
    found = measured(vibench, "--protocol", "mine@1.toml")
    assert ("telea", "seam", "hole") in found
    (record,) = [r for r in door.open_run(tmp_path / "runs").results.records if r.method == "telea"]
    assert record.frames == frames


def test_worse_masks_on_pairs_come_to_a_report(vibench: Command, tmp_path: Path) -> None:
    write_pairs(tmp_path / "set", ("ant", "bee"))
    assert vibench("protocol", "new", "loose", "--data", "pairs:set")[0] == 0
    text = (tmp_path / "loose@1.toml").read_text()
    worse = text.replace('name = "object"', 'name = "half"').replace(
        '# given = { how = "eroded", px = 4 }', 'given = { how = "missing", share = 0.5 }'
    )
    holes = worse[worse.index("[[holes]]") : worse.index("[scoring]")]
    (tmp_path / "loose@1.toml").write_text(text.replace("[scoring]", f"{holes}[scoring]"))
    measured(vibench, "--protocol", "loose@1.toml", "--metrics", "psnr")
    values = door.open_run(tmp_path / "runs").values
    by_hole = values[(values.method == "telea") & (values.region == "hole")].groupby("hole").value.mean()
    assert by_hole["half"] < by_hole["object"] - 1


# Protocols and cards of one's own.


def test_a_new_protocol_runs_as_it_stands_and_explains_itself(vibench: Command, tmp_path: Path) -> None:
    status, out, _ = vibench("protocol", "new", "mine")
    assert status == 0 and "vibench run --methods telea --protocol mine@1.toml" in out
    text = (tmp_path / "mine@1.toml").read_text()
    assert all(line.startswith(("#", "[")) or "=" in line or not line for line in text.splitlines())
    assert door.load_protocol("mine@1.toml").label == "mine@1"
    measured(vibench, "--protocol", "mine@1.toml", "--limit", "1")
    status, _, err = vibench("protocol", "new", "mine")
    assert status == 2 and "mine@1.toml is there already" in err
    assert vibench("protocol", "new", "mine", "--like", "mine@1.toml")[0] == 0
    assert door.load_protocol("mine@2.toml").version == 2


def test_every_line_of_a_new_protocol_means_what_it_shows(vibench: Command, tmp_path: Path) -> None:
    """What is commented out can be taken in: each line alone, with what it needs beside it, and the whole table."""
    vibench("protocol", "new", "mine", "--data", "pairs:set")
    text = (tmp_path / "mine@1.toml").read_text()
    resize = text[text.index("# [resize]") : text.index("[[holes]]")]
    needs = {"kept_margin_px": ('# composite = "holes"', 'composite = "none"')}
    needs |= {name: ('source = "objects"', 'source = "other-objects"') for name in ("pairing", "paste", "sees")}
    needs["generator"] = ('source = "objects"', 'source = "generator"')
    taken = [text.replace(resize, re.sub(r"(?m)^# (?=\[|\w+ = )", "", resize))]
    for line in text.replace(resize, "").splitlines():
        if found := re.match(r"# (\w+) = ", line):
            old, new = needs.get(found[1], ("", ""))
            taken.append(text.replace(line, line.removeprefix("# "), 1).replace(old, new))
    assert len(taken) >= 17
    for changed in taken:
        (tmp_path / "one.toml").write_text(changed)
        door.load_protocol("one.toml")


def test_diff_shows_what_differs_and_whether_numbers_compare(vibench: Command, tmp_path: Path) -> None:
    vibench("protocol", "new", "mine")
    text = (tmp_path / "mine@1.toml").read_text()
    (tmp_path / "words.toml").write_text(text.replace("One sentence", "Another sentence"))
    (tmp_path / "holes.toml").write_text(text.replace("# dilation_iterations = 0", "dilation_iterations = 4"))
    status, out, _ = vibench("protocol", "diff", "mine@1.toml", "words.toml")
    assert status == 0 and out.startswith("description: ") and "results of both can be compared" in out
    status, out, _ = vibench("protocol", "diff", "mine@1.toml", "holes.toml")
    assert out.splitlines()[0] == "holes[square].dilation_iterations: 0 -> 4" and "are never compared" in out
    status, out, _ = vibench("protocol", "diff", "davis-object", "davis-object-raw")
    assert 'scoring.composite: "holes" -> "none"' in out and "scoring.kept_margin_px: not set -> 8" in out


def own_definitions(folder: Path) -> Path:
    (folder / "protocols").mkdir(parents=True)
    (folder / "cards").mkdir()
    (folder / "cards" / "my-set.toml").write_text(
        'name = "my-set"\ntitle = "My pairs"\nlicence = "mine"\nsource = "here"\nlayout = "pairs"\n'
        'default_split = "all"\n[parts]\ninput = "before"\ntruth = "after"\nmasks = "what"\n'
    )
    (folder / "protocols" / "my-protocol@1.toml").write_text(
        'name = "my-protocol"\nversion = 1\ntitle = "Mine"\ndescription = "Mine."\ntask = "remove"\nseed = 1\n'
        '[data]\ndataset = "my-set"\n[[holes]]\nname = "object"\nsource = "objects"\n[scoring]\nmetrics = ["psnr"]\n'
    )
    return folder


@pytest.fixture(autouse=True)
def nothing_stays_included(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vibench.plugins.definitions._included", {})


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_included_protocols_and_cards_are_used_by_name(jobs: str, vibench: Command, tmp_path: Path) -> None:
    own_definitions(tmp_path / "own")
    for seed, name in enumerate(("ant", "bee")):
        for place, part in zip(("before", "after", "what"), made(seed), strict=True):
            write_part(tmp_path / "set" / place / name, part)
    status, out, _ = vibench("list", "protocols", "--include", "own")
    assert status == 0 and "my-protocol@1" in out and "davis-object@1" in out
    assert "My pairs" in vibench("list", "datasets", "--include", "own")[1]
    assert vibench("data", "check", "my-set", "--data", "set", "--include", "own")[0] == 0
    words = ("run", "-m", "telea", "-p", "my-protocol", "--data", "set", "-o", "runs", "--include", "own")
    assert vibench(*words, "--jobs", jobs)[0] == 0
    (run,) = Path("runs").iterdir()
    assert vibench("score", str(run), "--metrics", "seam", "--include", "own")[0] == 0


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "holds no protocol or card"),
        ({"a.toml": "x = 1"}, "holds no protocol or card"),
        ({"a.toml": "x = ["}, "is not valid TOML"),
        ({"a.toml": 'layout = "pairs"'}, "is not a card of a data set: name is missing"),
    ],
)
def test_what_is_included_must_be_of_use(
    files: dict[str, str], sentence: str, vibench: Command, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    for name, text in files.items():
        (tmp_path / "own" / name).write_text(text)
    status, _, err = vibench("list", "datasets", "--include", "own")
    assert status == 2 and sentence in err
    assert "there is nothing at absent" in vibench("list", "datasets", "--include", "absent")[2]


def test_no_included_definition_takes_the_place_of_another(vibench: Command, tmp_path: Path) -> None:
    own = own_definitions(tmp_path / "own")
    protocol = own / "protocols" / "my-protocol@1.toml"
    protocol.write_text(protocol.read_text().replace('"my-protocol"', '"bundled"'))
    _, _, err = vibench("list", "protocols", "--include", "own")
    assert "defines bundled@1, which there is already" in err
    card = own / "cards" / "my-set.toml"
    card.write_text(card.read_text().replace('"my-set"', '"davis-2016"'))
    _, _, err = vibench("list", "datasets", "--include", "own")
    assert "is the card of 'davis-2016', of which there is one already" in err


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('description = "One sentence on what is measured."', "", "description is missing: one sentence on what is"),
        ("seed = 1", "sede = 1", "seed is missing: a whole number from 0"),
        ("# repeats = 1", "repeat = 3", "there is no key 'repeat'; did you mean 'repeats'?"),
        ("version = 1", 'version = "one"', "version must be a whole number (it is 'one')"),
        ("seed = 1", "seed = -1", "seed must be at least 0 (it is -1)"),
        ('# source = "generator"', 'source = "object"', "'generator', 'objects' or 'other-objects' (it is 'object')"),
        ('name = "mine"', 'name = "My One"', "name may have small letters, digits and hyphens only"),
        ('metrics = ["psnr", "ssim-gaussian"]', "metrics = []", "scoring.metrics must be a list of at least 1 entries"),
        ('generator = "stationary-square"', "", '"generator" must be named when source = "generator"'),
        ('# sees = "holed"', 'sees = "everything"', 'sees = "everything" needs task = "remove"'),
        ("# dilation_iterations = 0", "dilation_iteration = 4", "did you mean 'dilation_iterations'?"),
    ],
)
def test_the_faults_of_a_protocol_are_told_in_a_person_s_words(
    old: str, new: str, sentence: str, vibench: Command, tmp_path: Path
) -> None:
    vibench("protocol", "new", "mine")
    text = (tmp_path / "mine@1.toml").read_text()
    assert old in text
    (tmp_path / "mine@1.toml").write_text(text.replace(old, new, 1))
    status, _, err = vibench("run", "-m", "telea", "-p", "mine@1.toml")
    assert status == 2 and sentence in err and "\n" not in err.strip()
