"""A mirror: what is fetched, what is sent, and what a server may not do to the disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from command_line import Outcome
from far_servers import S3, forget, http_server, names_at, s3_server
from small_run import write_run

from vibench.errors import InputError, MissingResource, UserError
from vibench.files.mirror import fetch, local, send, shown_place, workplace
from vibench.files.server import Fact, Server, url_of

FAR = "memory://far/data"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("VIBENCH_CACHE", str(tmp_path / "cache"))
    forget()
    yield tmp_path / "cache"
    from fsspec.implementations.memory import MemoryFileSystem

    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def put(**contents: bytes) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    for name, content in contents.items():
        MemoryFileSystem().pipe_file(f"/far/data/{name.replace('__', '/')}", content)


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("s3://bucket/davis", "s3://bucket/davis"),
        (Path("s3://bucket/davis/"), "s3://bucket/davis"),
        (Path("https://host:8000/a b"), "https://host:8000/a b"),
        (Path("file:///tmp/x"), "file:///tmp/x"),
        ("S3://bucket", "s3://bucket"),
        ("results/davis@1-0123", None),
        ("/tmp/s3:/x", None),
        ("c:/windows", None),
        ("s3://", None),
        ("", None),
    ],
)
def test_a_url_is_told_from_a_path_also_after_it_was_one(place: str | Path, url: str | None) -> None:
    assert url_of(place) == url


def test_a_folder_that_looks_like_a_url_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:" / "bucket").mkdir(parents=True)
    assert url_of("s3://bucket") is None
    assert local("s3://bucket") == Path("s3:/bucket")


def test_names_and_sizes_come_first_and_content_when_it_is_needed() -> None:
    put(a__0=b"first", a__1=b"second", b=b"third")
    folder = local(Path(FAR))
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert sizes == {"a/0": 5, "a/1": 6, "b": 5}
    assert (folder / "a" / "0").read_bytes() == bytes(5)
    fetch([folder / "a"])
    assert [(folder / name).read_bytes() for name in ("a/0", "a/1", "b")] == [b"first", b"second", bytes(5)]
    assert shown_place(folder / "a" / "0") == f"{FAR}/a/0"
    assert shown_place("a/0") == "a/0"


def test_what_changed_on_the_server_is_fetched_again_and_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    put(one=b"before", two=b"stays", three=b"goes")
    fetch([local(FAR)])
    put(one=b"after!")
    Server.at(FAR).remove("three")
    asked = []
    get = Server.get
    monkeypatch.setattr(Server, "get", lambda self, name, *more: (asked.append(name), get(self, name, *more))[1])
    folder = local(FAR)
    fetch([folder])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"one": b"after!", "two": b"stays"}
    assert asked == ["one"]


def test_another_process_knows_what_this_one_has_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    put(one=b"content")
    fetch([local(FAR)])
    forget()
    monkeypatch.setattr(Server, "get", None)
    folder = local(FAR)
    fetch([folder])
    assert (folder / "one").read_bytes() == b"content"


def test_a_listing_that_a_kill_left_torn_costs_a_fetch_and_no_more(cache: Path) -> None:
    put(one=b"content", two=b"other")
    folder = local(FAR)
    fetch([folder])
    (page,) = cache.glob("remote/*/listing.jsonl")
    for size in range(page.stat().st_size):
        page.write_bytes(page.read_bytes()[: -1 - size] if size else page.read_bytes())
        forget()
        fetch([local(FAR)])
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"one": b"content", "two": b"other"}
        if size > 40:
            break


def test_a_file_is_put_once_and_its_removal_too() -> None:
    folder = workplace(FAR)
    (folder / "records").mkdir()
    path = folder / "records" / "one.json"
    path.write_bytes(b"1")
    send([path])
    assert names_at(FAR) == {"records/one.json": b"1"}
    put(records__one__json=b"")
    before = Server.at(FAR).fact("records/one.json")
    send([path])
    assert Server.at(FAR).fact("records/one.json") == before
    path.unlink()
    send([path])
    assert "records/one.json" not in names_at(FAR)


def test_what_never_reached_the_server_is_put_when_work_goes_on_records_last(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = workplace(FAR)
    for name in ("records/m/c.json", "frames/m/c.mkv", "run.json", ".lock", "records/m/.c.partial.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    forget()
    order = []
    real = Server.put
    monkeypatch.setattr(Server, "put", lambda self, source, name: (order.append(name), real(self, source, name))[1])
    workplace(FAR)
    assert order == ["run.json", "frames/m/c.mkv", "records/m/c.json"]
    assert {name: content.decode() for name, content in names_at(FAR).items()} == {name: name for name in order}


def test_a_file_that_another_machine_wrote_since_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    put(one=b"theirs")
    folder = workplace(FAR)
    fetch([folder])
    put(one=b"newer!")
    (folder / "one").write_bytes(b"ours")
    workplace(FAR)
    fetch([folder])
    assert (folder / "one").read_bytes() == names_at(FAR)["one"] == b"newer!"


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/out", "a//b", "./a", "a\0b", "..", "a\\..\\b", "x" * 300])
def test_a_name_that_leads_out_is_refused_before_anything_is_written(
    name: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "listing", lambda _: {"good": Fact(1, "1"), name: Fact(1, "1")})
    with pytest.raises(InputError, match="can be no file in a folder here"):
        local(FAR)
    assert not [path for path in cache.parent.rglob("*") if path.name in ("out", "good", "b")]


def test_a_web_page_whose_links_lead_out_gives_nothing(tmp_path: Path) -> None:
    page = b'<a href="%2e%2e/%2e%2e/out">a</a> <a href="../">b</a> <a href="/">c</a> <a href="?C=N">d</a>'

    class Hostile(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(page)

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()

    with http_server(tmp_path, Hostile) as address, pytest.raises(InputError, match="can be no file"):
        local(f"{address}/data")
    assert not [*tmp_path.rglob("out")]


@pytest.mark.parametrize("given", [b"more than five", b"four"])
def test_a_file_of_another_size_than_was_said_is_refused(given: bytes, tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "0.png").write_bytes(b"five!")

    class Lying(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.endswith(".png"):
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(given)))
            self.end_headers()
            self.wfile.write(given)

    with http_server(tmp_path, Lying) as address:
        folder = local(f"{address}/clip")
        with pytest.raises(UserError, match=r"clip/0.png.*5"):
            fetch([folder])
    assert [path.name for path in folder.iterdir()] == ["0.png"]
    assert (folder / "0.png").stat().st_mtime_ns == 0


def test_sizes_are_held_against_the_disk_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    put(one=b"content")
    folder = local(FAR)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))  # type: ignore[attr-defined]
    monkeypatch.setattr(Server, "get", None)
    with pytest.raises(UserError, match=r"memory://far/data has 0.0 GB to fetch.*VIBENCH_CACHE"):
        fetch([folder])


def test_what_cannot_be_written_to_a_url_says_so(tmp_path: Path, vibench: Callable[..., Outcome]) -> None:
    run = write_run(tmp_path / "runs", ["telea"], ["ant/square"]).folder
    for words in (
        ("report", run, "--output", "s3://bucket/x"),
        ("table", run, "--output", "s3://bucket/x"),
        ("pack", run, "--output", "s3://bucket/x.tar.zst"),
        ("figure", run, "ant/square", "--output", "s3://bucket/x.png"),
        ("frames", run, "telea", "ant/square", "--output", "s3://bucket/x"),
        ("manifest", "bundled", "--output", "s3://bucket/x.json"),
    ):
        status, _, said = vibench(*words)
        assert status == 2
        assert "s3:/" in said and "is a URL, and this is written on a disk of this machine" in said
    assert not [*tmp_path.glob("s3*")]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    with s3_server(monkeypatch) as server:
        yield server


def test_a_bucket_that_is_not_there_is_named(s3: S3) -> None:
    with pytest.raises(InputError, match="there is nothing at s3://other/data"):
        local("s3://other/data")
    with pytest.raises(InputError, match="there is nothing at s3://other/runs"):
        workplace("s3://other/runs")
    with pytest.raises(InputError, match="there is nothing at s3://bucket/none"):
        local("s3://bucket/none")


def test_without_credentials_a_sentence_says_where_they_go(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    forget()
    with pytest.raises(InputError, match=r"no credentials for s3://bucket/data.*AWS_PROFILE"):
        local("s3://bucket/data")


def test_a_server_that_does_not_answer_is_named(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    forget()
    with pytest.raises(UserError, match=r"s3://bucket/data cannot be reached.*network"):
        local("s3://bucket/data")
    with pytest.raises(UserError, match=r"http://127.0.0.1:9/data cannot be reached"):
        local("http://127.0.0.1:9/data")


def test_an_unknown_kind_of_url_and_a_missing_package_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"nobody here reads davis://bucket/x.*s3://"):
        local("davis://bucket/x")
    from fsspec.registry import known_implementations

    told: dict[str, Any] = {"class": "no_such_package.Files", "err": "install no_such_package"}
    monkeypatch.setitem(known_implementations, "strange", told)
    with pytest.raises(MissingResource, match=r"strange://bucket/x needs a package.*vibench\[remote\]"):
        local("strange://bucket/x")


def test_the_state_of_a_mirror_is_lines_that_a_person_can_read(cache: Path) -> None:
    put(one=b"content")
    fetch([local(FAR)])
    (home,) = cache.glob("remote/*")
    assert (home / "url").read_text() == FAR
    lines = [json.loads(line) for line in (home / "listing.jsonl").read_text().splitlines() if line]
    assert [line[:2] for line in lines] == [["one", 7], ["one", 7]]
    assert lines[0][3] == 0 and lines[1][3] == os.stat(home / "data" / "one").st_mtime_ns
