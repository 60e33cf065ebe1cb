"""A web server that fails in the ways that servers and networks do, and tiny models to serve."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import yaml

from reidzoo.config import get_cfg
from reidzoo.models import Embedder
from reidzoo.weights import download
from reidzoo.zoo import index, write_model_file


class _Handler(BaseHTTPRequestHandler):
    """Serves ``server.files``: path -> what it is and how it fails, see `Server.put`."""

    def do_GET(self):
        given = self.server.files.get(self.path.partition("?")[0])
        self.server.requests.append(
            SimpleNamespace(path=self.path, range=self.headers.get("Range"), tag=self.headers.get("If-Range"))
        )
        if given is None:
            self.send_error(404)
        elif given.statuses:
            self.send_error(given.statuses.pop(0))
        else:
            self._send(given)

    def do_HEAD(self):
        given = self.server.files.get(self.path.partition("?")[0])
        if given is None:
            self.send_error(404)
            return
        self.send_response(200)
        for name, value in {"ETag": given.tag, "Content-Length": str(len(given.body)), **given.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, given):
        total, start = len(given.body), 0
        wanted = self.headers.get("Range")
        if wanted and given.ranges and self.headers.get("If-Range", given.tag) == given.tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start and start >= total:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        for name, value in {"ETag": given.tag, "Content-Type": given.kind, **given.headers}.items():
            if value:
                self.send_header(name, value)
        if given.length:
            self.send_header("Content-Length", str(total - start))
        self.end_headers()
        stop = total
        if given.cuts:
            stop = max(given.cuts.pop(0), start)
        self.wfile.write(given.body[start:stop])
        self.close_connection = True

    def log_message(self, *args):
        pass


class Server:
    """A web server on this machine.

    Attributes:
        url: its address, without a slash at the end.
        requests: what was asked for, in order: ``path``, ``range``, ``tag``.
    """

    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.files, self.server.requests = {}, []
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.requests = self.server.requests
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def put(
        self, path, body, *, cuts=(), ranges=True, tag='"1"', length=True, statuses=(), kind="application/octet-stream",
        headers=None,
    ):  # fmt: skip
        """Serve ``body`` at ``path``; returns the address.

        Args:
            cuts: at which byte the first, second, ... answer ends before its time.
            ranges: whether Range is understood.
            tag: the ETag.
            length: whether the size is said.
            statuses: HTTP errors that the first, second, ... request gets.
        """
        self.server.files[path] = SimpleNamespace(
            body=body, cuts=list(cuts), ranges=ranges, tag=tag, length=length, statuses=list(statuses), kind=kind,
            headers=headers or {},
        )  # fmt: skip
        return self.url + path

    def start(self):
        self.thread.start()

    def stop(self):
        if self.thread.is_alive():
            self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def idle_server():
    """Return a server that waits to be started."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def server(idle_server):
    idle_server.start()
    return idle_server


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Give every test a cache of its own, no pauses, and no index that another test made known."""
    monkeypatch.setenv("REIDZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setattr(index, "_indexes", dict(index._indexes))
    return tmp_path / "home"


@pytest.fixture
def no_indexes(monkeypatch):
    """Forget this package's indexes, and afterwards what the test made known."""
    monkeypatch.setattr(index, "_indexes", {"nothing": {}})


ENTRY = {
    "config": None, "addresses": ["https://nowhere.invalid/x.safetensors"], "sha256": None, "size": None,
    "convert": None, "metrics": {"Market1501 twin": {"mAP": 0.36}}, "data": "twins", "source": "measured here",
    "licence": "Apache-2.0", "version": None,
}  # fmt: skip


@pytest.fixture
def write_index(tmp_path):
    """Return a function that writes an index of the given entries over a complete one, and returns its path."""

    def write(name="index.yml", **entries):
        path = tmp_path / name
        path.write_text(yaml.safe_dump({key: {**ENTRY, **value} for key, value in entries.items()}, sort_keys=False))
        return path

    return write


def make_config(**changes):
    """Return the nodes of a tiny model's configuration, as plain data."""
    cfg = get_cfg()
    cfg.INPUT.SIZE, cfg.INPUT.INTERPOLATION = [32, 16], "bilinear"
    return {
        "PLUGINS": [], "MODEL": {"type": "Embedder"}, "HEAD": {"type": "BNNeck"},
        "BACKBONE": {"type": "ResNet", "depth": 18, "width": 4, "last_stride": 1, "pretrained": ""},
        "INPUT": {**cfg.INPUT, "TRANSFORMS": {"normalize": {"type": "Normalize"}}}, **changes,
    }  # fmt: skip


@pytest.fixture
def tiny_config():
    """Return `make_config`."""
    return make_config


@pytest.fixture
def write_tiny(tmp_path):
    """Return a function that writes a tiny model file; gives its path, and facts for an index."""

    def write(name="tiny", half=False, info=None, **changes):
        config = make_config(**changes)
        state = Embedder(config["BACKBONE"], config["HEAD"]).state_dict()
        if half:
            state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
        path = tmp_path / f"{name}.safetensors"
        write_model_file(path, state, config, info or {"name": name})
        data = path.read_bytes()
        return path, {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}

    return write
