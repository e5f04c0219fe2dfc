"""Fetching: nothing without a checksum, nothing with a wrong one, and the files where they belong."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vibench.data.copy import fetch
from vibench.data.dataset import Card, card_of, cards
from vibench.errors import InputError, MissingResource


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "served" / "DATA.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("JPEGImages/480p/bear/00000.jpg", "made up")
    return path


@pytest.fixture
def card(archive: Path) -> Iterator[Card]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(archive.parent)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield card_of("davis-2016").model_copy(update={"url": f"http://127.0.0.1:{server.server_port}/DATA.zip"})
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_archive_with_its_checksum_is_unpacked(card: Card, archive: Path, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    files = fetch(card, tmp_path / "data", sha256)
    assert files == [tmp_path / "data" / "JPEGImages" / "480p" / "bear" / "00000.jpg"]
    assert files[0].read_text() == "made up"


def test_another_checksum_unpacks_nothing(card: Card, tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="has another sha256 than"):
        fetch(card, tmp_path / "data", "0" * 64)
    assert not (tmp_path / "data" / "JPEGImages").exists()


def test_an_archive_that_is_not_there_is_one_sentence(card: Card, tmp_path: Path) -> None:
    gone = card.model_copy(update={"url": f"{card.url}.gone"})
    with pytest.raises(MissingResource, match="cannot download .*404"):
        fetch(gone, tmp_path / "data", "0" * 64)


def test_without_a_checksum_or_an_address_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="checksum of https://.*--sha256.*licence"):
        fetch(card_of("davis-2016"), tmp_path)
    with pytest.raises(InputError, match="no direct address"):
        fetch(card_of("youtube-vos-2018"), tmp_path)
    with pytest.raises(InputError, match="has 64 digits"):
        fetch(card_of("davis-2016"), tmp_path, "abc")


def test_no_card_claims_a_checksum_that_nobody_verified() -> None:
    assert [card.name for card in cards() if card.url_sha256] == []
