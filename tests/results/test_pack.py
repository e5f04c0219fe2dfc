"""Packs: a run as one file, which gives the same run again, and gives nothing else, whoever wrote it."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome
from small_run import write_run

from vibench.errors import InputError
from vibench.results import unpack
from vibench.results.pack import pack
from vibench.results.run import open_run
from vibench.results.store import Store

zstandard = pytest.importorskip("zstandard", reason="packs need zstandard: pip install 'vibench[pack]'")

CASES = ["x/square", "y/square", "z/square"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return write_run(tmp_path / "results", ["a", "b"], CASES, frames=3, fails=[("b", "y/square")])


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("[!.]*") if path.is_file()}


def in_cache() -> list[str]:
    """What the cache has of packs, also half-written."""
    return sorted(path.name for path in (unpack.cache_folder("packs")).iterdir())


def test_a_pack_opens_as_the_run_that_went_in(store: Store, tmp_path: Path) -> None:
    run = open_run(pack(store.folder, tmp_path / "run.tar.zst"))
    assert files(run.folder) == files(store.folder) and run.folder.name == store.folder.name
    assert run.results.records == store.records()
    np.testing.assert_array_equal(run.frames("a", "x/square"), store.frames("a", "x/square"))


def test_a_pack_without_frames_has_every_record(store: Store, tmp_path: Path) -> None:
    run = open_run(pack(store.folder, tmp_path / "run.tar.zst", frames=False))
    assert run.results.records == store.records()
    assert set(files(run.folder)) == {
        "run.json", *(name for name in files(store.folder) if name.startswith("records/"))
    }  # fmt: skip


def test_the_same_run_gives_the_same_bytes_and_tar_reads_them(store: Store, tmp_path: Path) -> None:
    one = pack(store.folder, tmp_path / "one.tar.zst")
    (store.folder / "run.json").touch()
    assert one.read_bytes() == pack(store.folder, tmp_path / "two.tar.zst").read_bytes()
    with zstandard.open(one) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        names = {member.name.partition("/")[2] for member in archive}
    assert names == set(files(store.folder))


def test_a_table_opens_as_the_run_and_shows_its_means(store: Store, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="tables need pyarrow: pip install 'vibench[pack]'")
    path = pack(store.folder, tmp_path / "run.parquet")
    run = open_run(path)
    assert run.results.records == store.records()
    assert (run.folder / "run.json").read_bytes() == (store.folder / "run.json").read_bytes()
    table = parquet.read_table(path).to_pandas().set_index(["method", "case"])
    record = store.record("a", "x/square")
    assert table.loc[("a", "x/square"), "psnr/hole"] == record.value("psnr", "hole")  # type: ignore[union-attr]
    assert np.isnan(table.loc[("b", "y/square"), "psnr/hole"])
    assert table.loc[("b", "y/square"), "failure"].startswith("error: the method fell over")


def test_a_table_says_what_is_missing_where_pyarrow_is_not_installed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vibench: Callable[..., Outcome]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    status, _, err = vibench("pack", store.folder, "-o", "run.parquet")
    assert status == 2 and "needs pyarrow: pip install 'vibench[pack]'" in err
    assert not (tmp_path / "run.parquet").exists()


def archive(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with zstandard.open(path, "wb") as stream, tarfile.open(fileobj=stream, mode="w|") as written:
        for member, content in members:
            member.size = len(content) if member.isfile() else 0
            written.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    ("evil", "sentence"),
    [
        (member("run/../../../escaped.json"), "which no run has"),
        (member("/tmp/escaped/run.json"), "which no run has"),
        (member("run/records/../../escaped.json"), "which no run has"),
        (member("run/records/a/.lock.json"), "which no run has"),
        (member("run/records/a/x\n.json"), "which no run has"),
        (member("run/.lock"), "which no run has"),
        (member("run/cases/x.py"), "which no run has"),
        (member("run/cases/x.mkv", tarfile.SYMTYPE, "/etc/passwd"), "which is no plain file"),
        (member("run/cases/x.mkv", tarfile.LNKTYPE, "run/run.json"), "which is no plain file"),
        (member("run/cases", tarfile.DIRTYPE), "which is no plain file"),
        (member("run/cases/x.mkv", tarfile.FIFOTYPE), "which is no plain file"),
        (member("run/cases/" + "x" * 300), "which is no plain file"),  # its long name is a header of its own
        (member("run/run.json"), "twice"),
    ],
    ids=lambda value: repr(value.name[:30]) if isinstance(value, tarfile.TarInfo) else "",
)
def test_what_no_run_has_is_refused_and_nothing_is_kept(
    store: Store, tmp_path: Path, evil: tarfile.TarInfo, sentence: str
) -> None:
    page = (store.folder / "run.json").read_bytes()
    path = archive(tmp_path / "evil.tar.zst", [(member("run/run.json"), page), (evil, b"{}" * 5)])
    before = in_cache()
    with pytest.raises(InputError, match=rf"evil.tar.zst.*{sentence}"):
        open_run(path)
    assert in_cache() == before and not list(tmp_path.rglob("escaped*")) and not Path("/tmp/escaped").exists()


def test_an_archive_that_gives_too_much_is_refused_before_it_is_written(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "ALWAYS_BYTES", 2**20)
    page = (store.folder / "run.json").read_bytes()
    zeros = bytes(2**24)
    path = archive(tmp_path / "bomb.tar.zst", [(member("run/run.json"), page), (member("run/cases/x.mkv"), zeros)])
    assert path.stat().st_size < 2**24 / 1000
    before = in_cache()
    with pytest.raises(InputError, match="holds more than the 1048576 bytes that a pack of its size can"):
        open_run(path)
    assert in_cache() == before


def test_a_header_that_says_an_endless_size_takes_no_memory(store: Store, tmp_path: Path) -> None:
    endless = member("run/run.json")
    endless.size = 2**60
    with zstandard.open(tmp_path / "endless.tar.zst", "wb") as stream:
        stream.write(endless.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(InputError, match="holds more than the"):
        open_run(tmp_path / "endless.tar.zst")


@pytest.mark.parametrize("ending", [".tar.zst", ".parquet"])
def test_damage_is_one_sentence_or_does_no_harm(store: Store, tmp_path: Path, ending: str) -> None:
    """A changed byte that goes unseen must be one that changes nothing, since the archive has a checksum."""
    if ending == ".parquet":
        pytest.importorskip("pyarrow", reason="tables need pyarrow: pip install 'vibench[pack]'")
    sound = pack(store.folder, tmp_path / f"run{ending}", frames=False).read_bytes()
    draw = random.Random(29)
    for number in range(40):
        content = bytearray(sound)
        if number % 2:
            del content[draw.randrange(len(content)) :]
        else:
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path = tmp_path / f"damaged{number}{ending}"
        path.write_bytes(content)
        try:
            records = open_run(path).results.records
        except InputError as error:
            assert str(path) in str(error) or "run.json" in str(error)
            continue
        if ending == ".tar.zst":
            assert records == store.records()


def test_a_table_from_outside_names_files_only_through_slugs(store: Store, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="tables need pyarrow: pip install 'vibench[pack]'")
    from pyarrow import parquet

    page = (store.folder / "run.json").read_bytes()
    table = pyarrow.table({"method": ["../../../x"], "case": ["/tmp/escaped"], "record": [b"{}"]})
    parquet.write_table(table.replace_schema_metadata({b"vibench": page}), tmp_path / "evil.parquet")
    run = open_run(tmp_path / "evil.parquet")
    assert len(run.results.records) == 0 and "torn" in run.problems[0]
    assert not Path("/tmp/escaped.json").exists() and not list(tmp_path.rglob("*escaped*"))
    parquet.write_table(table, tmp_path / "plain.parquet")
    with pytest.raises(InputError, match="plain.parquet is no pack of vibench"):
        open_run(tmp_path / "plain.parquet")


def test_commands_read_a_pack_like_a_folder(store: Store, vibench: Callable[..., Outcome], tmp_path: Path) -> None:
    assert vibench("pack", store.folder, "-o", "run.tar.zst")[0] == 0
    assert "there already" in vibench("pack", store.folder, "-o", "run.tar.zst")[2]
    assert "ends in .tar.zst or .parquet" in vibench("pack", store.folder, "-o", "run.zip")[2]
    status, _, err = vibench("report", "run.tar.zst", "-o", "report")
    assert status == 0 and (tmp_path / "report" / "index.html").exists(), err
    (packs,) = (line for line in vibench("cache", "show")[1].splitlines() if line.startswith("packs"))
    assert int(packs.split()[1]) >= len(files(store.folder))
    assert "is a pack; `vibench merge" in vibench("score", "run.tar.zst")[2]
    assert vibench("merge", "run.tar.zst", "-o", "again")[0] == 0
    assert files(tmp_path / "again" / store.folder.name) == files(store.folder)
    assert vibench("cache", "clear")[0] == 0 and not in_cache()


def test_system_tar_unpacks_a_run(store: Store, tmp_path: Path) -> None:
    packed = pack(store.folder, tmp_path / "run.tar.zst")
    with zstandard.open(packed) as stream:
        (tmp_path / "run.tar").write_bytes(stream.read())
    subprocess.run(["tar", "-xf", tmp_path / "run.tar", "-C", tmp_path], check=True)
    (unpacked,) = tmp_path.glob("vibench-*")
    assert open_run(unpacked).results.records == store.records()
