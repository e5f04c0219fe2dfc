"""Servers on this machine that data and results lie on: one that speaks S3, and a read-only one over HTTP."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

BUCKET = "bucket"


class Held:
    """Stops a server in front of one request: ``reached`` is set when it has come, and it never gets through."""

    def __init__(self, method: str, part: str, after: int) -> None:
        self.method, self.part, self.left = method, part, after
        self.reached, self.over = threading.Event(), threading.Event()
        self._counting = threading.Lock()

    def takes(self, method: str, path: str) -> bool:
        if method != self.method or self.part not in path:
            return False
        with self._counting:
            self.left -= 1
            return self.left < 0


class S3:
    """A server of S3 by moto. ``hold`` stops it at a chosen request; ``asked`` are the requests that it answered."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, *_: Any) -> None:
                return

        self._app = app
        self.asked: list[tuple[str, str]] = []
        self._held: list[Held] = []
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Quiet)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        for held in self._held:
            if held.takes(method, path):
                held.reached.set()
                held.over.wait(120)
                start("503 Service Unavailable", [])
                return [b""]
        self.asked.append((method, path))
        return self._app(environ, start)

    @contextmanager
    def hold(self, method: str, part: str, after: int = 0) -> Iterator[Held]:
        """Let no request of ``method`` with ``part`` in its path through, once so many have come ``after`` which."""
        held = Held(method, part, after)
        self._held.append(held)
        try:
            yield held
        finally:
            self._held.remove(held)
            held.over.set()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def s3_server(patch: pytest.MonkeyPatch) -> Iterator[S3]:
    """An S3 server, at which everything in this process and its children now looks; it knows one pair of keys."""
    pytest.importorskip("s3fs", reason="needs s3fs: pip install 'vibench[remote]'")
    moto = pytest.importorskip("moto.server", reason="needs moto, which is in the extra dev")
    server = S3(moto.DomainDispatcherApplication(moto.create_backend_app))
    told = {
        "AWS_ENDPOINT_URL": server.address, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    for name, value in told.items():
        patch.setenv(name, value)
    forget()
    # What moto holds is the process's, and stays from one server to the next.
    urlopen(Request(f"{server.address}/moto-api/reset", method="POST")).close()
    files_at("s3://").mkdir(BUCKET)
    try:
        yield server
    finally:
        server.close()


def files_at(url: str) -> Any:
    """The file system of a URL, as it is now."""
    from fsspec.core import url_to_fs

    system, _ = url_to_fs(url)
    system.invalidate_cache()
    return system


def forget() -> None:
    """Let this process open every server anew: connections go to an address that was there when they were made."""
    from fsspec import AbstractFileSystem

    from vibench.files import mirror

    for kind in [AbstractFileSystem, *_below(AbstractFileSystem)]:
        kind.clear_instance_cache()
    mirror._mirrors.clear()


def _below(kind: type) -> Iterator[type]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _below(inner)


def upload(folder: Path, url: str) -> None:
    """Put all files of a folder to a URL."""
    system = files_at(url)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            target = f"{url}/{path.relative_to(folder).as_posix()}"
            system.makedirs(target.rpartition("/")[0], exist_ok=True)
            system.pipe_file(target, path.read_bytes())


def names_at(url: str) -> dict[str, bytes]:
    """Name -> content of all files at a URL."""
    system = files_at(url)
    root = system._strip_protocol(url)
    return {key.removeprefix(f"{root}/"): system.cat_file(key) for key in system.find(root)}


@contextmanager
def http_server(folder: Path, handler: type[SimpleHTTPRequestHandler] | None = None) -> Iterator[str]:
    """The address of a server that gives the files of a folder and lists its folders, as ``python -m http.server``."""

    class Quiet(handler or SimpleHTTPRequestHandler):  # type: ignore[misc]
        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
