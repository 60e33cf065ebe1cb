"""Downloads against a server on this machine that fails as servers and networks do."""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import io
import multiprocessing
import threading
import urllib.parse

import pytest
import requests
import torch
from safetensors.torch import save_file

from reidzoo.errors import WeightsError
from reidzoo.weights import cache, download
from reidzoo.weights.cache import fetch, is_cached, make_once, sha256_of, weights_home
from reidzoo.weights.loading import safe_read
from reidzoo.weights.model_file import header_if_any

BODY = bytes(range(256)) * 4096  # 1 MB
SHA = hashlib.sha256(BODY).hexdigest()
GDOWN = importlib.import_module("gdown.download")  # the package has a function of this name
PAGE = b"\n <!DOCTYPE html><html><head><title>Log in &amp; pay</title></head><body>please</body></html>"


def names(home):
    """Return the files of the cache, without locks."""
    return sorted(path.name for path in home.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_home_is_the_environments_or_the_cache(monkeypatch):
    monkeypatch.setenv("REIDZOO_HOME", "somewhere")
    assert str(weights_home()) == "somewhere"
    for unset in (lambda: monkeypatch.setenv("REIDZOO_HOME", ""), lambda: monkeypatch.delenv("REIDZOO_HOME")):
        unset()
        assert weights_home() == cache.Path.home() / ".cache" / "reidzoo"


def test_a_file_is_cached_if_its_size_and_checksum_are_those_that_are_asked_for(home):
    home.mkdir(parents=True, exist_ok=True)
    assert not is_cached("a.pth")
    (home / "a.pth").write_bytes(BODY)
    assert is_cached("a.pth") and is_cached("a.pth", size=len(BODY), sha256=SHA[:8])
    assert not is_cached("a.pth", size=len(BODY) + 1) and not is_cached("a.pth", sha256="0" * 64)


def test_downloads_once_then_needs_no_network(server, home):
    url = server.put("/a.pth", BODY)
    path = fetch([url], "zoo/a.pth", sha256=SHA, size=len(BODY))
    assert path == home / "zoo/a.pth" and path.read_bytes() == BODY
    assert names(home) == ["a.pth", "a.pth.sha256"]
    server.stop()
    assert fetch([url], "zoo/a.pth", sha256=SHA) == path and len(server.requests) == 1
    assert fetch([], "zoo/a.pth") == path


@pytest.mark.parametrize("sha256", [SHA, SHA[:8], ""])
def test_a_cut_connection_is_resumed(server, sha256):
    url = server.put("/a.pth", BODY, cuts=[1000, 300_000])
    assert fetch([url], "a.pth", sha256=sha256).read_bytes() == BODY
    assert [request.range for request in server.requests] == [None, "bytes=1000-", "bytes=300000-"]
    assert {request.tag for request in server.requests[1:]} == {'"1"'}


def test_a_connection_that_is_cut_often_is_resumed_as_long_as_it_brings_something(server):
    cuts = [1000 * n for n in range(1, 3 * download.ATTEMPTS)]
    url = server.put("/a.pth", BODY, cuts=cuts)
    assert fetch([url], "a.pth").read_bytes() == BODY and len(server.requests) == 1 + len(cuts)


def test_a_weak_validator_tells_nothing_of_the_bytes(server):
    url = server.put("/a.pth", BODY, cuts=[1000], tag='W/"1"')
    assert fetch([url], "a.pth").read_bytes() == BODY
    assert [request.range for request in server.requests] == [None, None]


def test_an_interrupted_download_is_resumed_by_the_next_run(server, home, monkeypatch):
    url = server.put("/a.pth", BODY, cuts=[400_000])

    def interrupt(seconds):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download.time, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch([url], "a.pth")
    assert "a.pth.part" in names(home)
    assert fetch([url], "a.pth").read_bytes() == BODY
    assert server.requests[-1].range == "bytes=400000-" and names(home) == ["a.pth", "a.pth.sha256"]


def test_another_state_of_the_file_is_not_glued_to_the_first(server, home):
    url = server.put("/a.pth", BODY[::-1], cuts=[1000], tag='"2"')
    home.mkdir()
    (home / "a.pth.part").write_bytes(BODY[:500_000])
    (home / "a.pth.part.json").write_text(f'{{"url": "{url}", "validator": "\\"1\\""}}')
    assert fetch([url], "a.pth").read_bytes() == BODY[::-1]
    assert server.requests[0].range == "bytes=500000-" and server.requests[0].tag == '"1"'


def test_a_part_of_something_else_is_dropped_where_a_checksum_tells(server, home):
    """Another address without validators: the part is tried, the checksum refuses it, and it is brought anew."""
    url = server.put("/a.pth", BODY, tag="")
    home.mkdir()
    (home / "a.pth.part").write_bytes(b"x" * 1000)
    assert fetch([url], "a.pth", sha256=SHA).read_bytes() == BODY
    assert [request.range for request in server.requests] == ["bytes=1000-", None]


def test_a_part_from_another_address_is_not_continued(server, home):
    url = server.put("/a.pth", BODY)
    home.mkdir()
    (home / "a.pth.part").write_bytes(b"x" * 1000)
    (home / "a.pth.part.json").write_text('{"url": "http://elsewhere/a.pth", "validator": "\\"1\\""}')
    assert fetch([url], "a.pth").read_bytes() == BODY
    assert server.requests[0].range is None


def test_a_server_that_gives_another_piece_than_was_asked_for(home, monkeypatch, tmp_path):
    class Response(io.BytesIO):
        status, headers = 206, {"Content-Range": "bytes 0-99/1100"}

    monkeypatch.setattr(download.urllib.request, "urlopen", lambda *_, **__: Response(b"y" * 100))
    part = tmp_path / "a.part"
    part.write_bytes(b"x" * 1000)
    with pytest.raises(download.TransferError, match="asked for what follows byte 1,000, the server gave something"):
        download.from_http("http://127.0.0.1/a", part, checked=True)
    assert part.read_bytes() == b"x" * 1000


def test_a_part_without_validator_and_checksum_is_not_continued(server, home):
    url = server.put("/a.pth", BODY, tag="")
    home.mkdir()
    (home / "a.pth.part").write_bytes(b"x" * 1000)
    assert fetch([url], "a.pth").read_bytes() == BODY
    assert server.requests[0].range is None


def test_a_part_that_is_whole_is_taken(server, home):
    url = server.put("/a.pth", BODY)
    home.mkdir()
    (home / "a.pth.part").write_bytes(BODY)
    assert fetch([url], "a.pth", sha256=SHA).read_bytes() == BODY
    assert len(server.requests) == 1


def test_a_part_that_is_too_long_is_dropped(server, home):
    url = server.put("/a.pth", BODY)
    home.mkdir()
    for sha256 in (SHA, ""):
        (home / "a.pth").unlink(missing_ok=True)
        (home / "a.pth.part").write_bytes(BODY + b"x")
        (home / "a.pth.part.json").write_text(f'{{"url": "{url}", "validator": "\\"1\\""}}')
        assert fetch([url], "a.pth", sha256=sha256).read_bytes() == BODY


def test_without_ranges_it_starts_over(server):
    url = server.put("/a.pth", BODY, cuts=[1000, 2000], ranges=False)
    assert fetch([url], "a.pth", sha256=SHA).read_bytes() == BODY
    assert len(server.requests) == 3


def test_gives_up_where_it_is_always_cut(server, home):
    url = server.put("/a.pth", BODY, cuts=[1000] * 9, ranges=False)
    with pytest.raises(WeightsError, match=r"a\.pth: the connection was cut after 1,000 of 1,048,576 bytes"):
        fetch([url], "a.pth", sha256=SHA)
    assert len(server.requests) <= 5


def test_a_truncated_body_of_unsaid_length(server, home):
    url = server.put("/a.pth", BODY[:1000], length=False)
    with pytest.raises(WeightsError, match=r"what came is not the file: it has 1,000 bytes, and is to have 1,048,576"):
        fetch([url], "a.pth", size=len(BODY))
    assert names(home) == []
    with pytest.raises(WeightsError, match="what came is not the file: its SHA-256 is"):
        fetch([url], "a.pth", sha256=SHA)
    assert names(home) == []


def test_a_wrong_size_is_not_even_brought(server):
    url = server.put("/a.pth", BODY)
    with pytest.raises(WeightsError, match="it has 1,048,576 bytes there, and is to have 7"):
        fetch([url], "a.pth", size=7)


def test_a_wrong_hash_is_not_kept_and_the_next_address_is_tried(server, home):
    wrong, right = server.put("/wrong", BODY[::-1]), server.put("/right", BODY)
    assert fetch([wrong, right], "a.pth", sha256=SHA).read_bytes() == BODY
    with pytest.raises(WeightsError, match="what came is not the file"):
        fetch([wrong], "b.pth", sha256=SHA)
    assert names(home) == ["a.pth", "a.pth.sha256"]
    assert [request.path for request in server.requests] == ["/wrong", "/right", "/wrong"]  # each once


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_is_not_the_file(server, home, kind):
    url = server.put("/a.pth", PAGE, kind=kind)
    with pytest.raises(WeightsError, match=r"it gave a web page \('Log in & pay'\) instead of the file"):
        fetch([url], "a.pth")
    assert names(home) == []
    url = server.put("/a.pth", BODY, kind="text/html")  # a server that says so of everything
    assert fetch([url], "a.pth").read_bytes() == BODY


def test_errors_that_pass_are_waited_for_and_others_are_not(server):
    url = server.put("/a.pth", BODY, statuses=[503, 429])
    assert fetch([url], "a.pth").read_bytes() == BODY and len(server.requests) == 3
    with pytest.raises(WeightsError, match="HTTP 404 Not Found"):
        fetch([server.url + "/none"], "b.pth")
    assert len(server.requests) == 4


def test_a_silent_server(idle_server, monkeypatch):
    """It takes the connection, and nothing comes."""
    monkeypatch.setattr(download, "TIMEOUT", 0.05)
    with pytest.raises(WeightsError, match=r"no answer within 0\.05 s"):
        fetch([idle_server.url + "/a.pth"], "a.pth")


def test_a_damaged_copy_is_replaced(server, home, caplog):
    url = server.put("/a.pth", BODY)
    for sha256 in (SHA, ""):  # without a checksum, that of the first download holds
        path = fetch([url], "a.pth", sha256=sha256)
        path.write_bytes(BODY[:1000])
        assert fetch([url], "a.pth", sha256=sha256).read_bytes() == BODY
    assert "is damaged" in caplog.text


def test_an_empty_copy_is_damaged(server, home):
    home.mkdir()
    (home / "a.pth").write_bytes(b"")
    assert not is_cached("a.pth")
    assert fetch([server.put("/a.pth", BODY)], "a.pth").read_bytes() == BODY


def test_a_damaged_copy_offline_says_what_to_do(server, home):
    url = server.put("/a.pth", BODY)
    path = fetch([url], "a.pth")
    path.write_bytes(BODY[:1000])
    server.stop()
    with pytest.raises(WeightsError, match=r"damaged: its SHA-256 is .*Delete it and a\.pth\.sha256, and run again"):
        fetch([url], "a.pth")
    assert path.read_bytes() == BODY[:1000]


def test_every_failure_says_what_was_tried_and_where_to_put_the_file(server, home, tmp_path):
    addresses = [server.url + "/none", "http://127.0.0.1:1/a.pth", "ftp://x/a", "file:gone.pth", "http://[bad/a"]
    with pytest.raises(WeightsError) as caught:
        fetch(addresses, "zoo/a.pth", sha256=SHA, size=7, folder=tmp_path, title="the model")
    lines = str(caught.value).splitlines()
    assert lines[0] == "cannot get the model. Tried:"
    assert lines[1] == f"  {server.url}/none: HTTP 404 Not Found"
    assert lines[2].startswith("  http://127.0.0.1:1/a.pth: ") and "refused" in lines[2]
    assert lines[3].startswith("  ftp://x/a: unknown kind of address")
    assert lines[4] == f"  file:gone.pth: {tmp_path}/gone.pth does not exist"
    assert lines[5].startswith("  http://[bad/a: ")
    assert str(home / "zoo/a.pth") in lines[6] and f"7 bytes, SHA-256 {SHA}" in lines[6] and "$REIDZOO_HOME" in lines[6]


def test_a_file_put_by_hand_is_taken_and_checked(home):
    (home / "zoo").mkdir(parents=True)
    (home / "zoo/a.pth").write_bytes(BODY)
    assert fetch(["http://127.0.0.1:1/a"], "zoo/a.pth", sha256=SHA).read_bytes() == BODY
    assert fetch(["http://127.0.0.1:1/a"], "zoo/a.pth").read_bytes() == BODY
    with pytest.raises(WeightsError, match="is damaged"):
        fetch(["http://127.0.0.1:1/a"], "zoo/a.pth", sha256="0" * 64)


def test_files_of_this_machine_are_taken_where_they_lie(home, tmp_path):
    (tmp_path / "my models").mkdir()
    file = tmp_path / "my models/a.pth"
    file.write_bytes(BODY)
    for address in ("file:my models/a.pth", "file:../x/../my models/a.pth", f"file:{file}", file.as_uri()):
        folder = tmp_path / "x" if ".." in address else tmp_path
        assert fetch([address], "a.pth", sha256=SHA, folder=folder) == file
    with pytest.raises(WeightsError, match="its index is not on this machine"):
        fetch(["file:a.pth"], "a.pth")
    with pytest.raises(WeightsError, match=r"my models/a\.pth: its SHA-256 is"):
        fetch([f"file:{file}"], "a.pth", sha256="0" * 64)
    assert names(home) == []


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REIDZOO_HOME", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=r"cannot be written to: .*; set REIDZOO_HOME to another folder"):
        fetch(["http://127.0.0.1:1/a"], "a.pth")
    (tmp_path / "a.pth").write_bytes(BODY)
    assert fetch([f"file:{tmp_path}/a.pth"], "a.pth", sha256=SHA) == tmp_path / "a.pth"  # which needs no cache
    with pytest.raises(WeightsError, match="set REIDZOO_HOME"):
        fetch([f"file:{tmp_path}/a.pth"], "a.pth", sha256="0" * 64)
    with pytest.raises(WeightsError, match="set REIDZOO_HOME"):
        make_once("x", lambda path: path.write_bytes(b"x"))


def _fetch_when_told(pipe):
    url = pipe.recv()
    pipe.send(sha256_of(fetch([url], "a.pth", sha256=SHA)))


def test_eight_processes_bring_it_once(idle_server):
    # Forked while this process has one thread only; then the server's thread starts.
    context = multiprocessing.get_context("fork")
    pipes = []
    for _ in range(8):
        ours, theirs = context.Pipe()
        context.Process(target=_fetch_when_told, args=(theirs,), daemon=True).start()
        pipes.append(ours)
    url = idle_server.put("/a.pth", BODY, cuts=[300_000])
    idle_server.start()
    for pipe in pipes:
        pipe.send(url)
    assert [pipe.recv() if pipe.poll(60) else None for pipe in pipes] == [SHA] * 8
    assert [request.range for request in idle_server.requests] == [None, "bytes=300000-"]


def test_waits_for_another_process(server, home, monkeypatch, caplog):
    monkeypatch.setattr(cache, "PATIENCE", 0.01)
    caplog.set_level("INFO", "reidzoo")
    url = server.put("/a.pth", BODY)
    home.mkdir()
    file = (home / "a.pth.lock").open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    threading.Timer(0.2, file.close).start()
    assert fetch([url], "a.pth").read_bytes() == BODY
    assert "waiting for another process that is getting a.pth" in caplog.text


def test_made_once(home):
    made = []

    def make(path):
        made.append(path)
        path.write_bytes(BODY)

    path = make_once("zoo/b", make)
    assert make_once("zoo/b", make) == path and len(made) == 1
    path.write_bytes(b"damaged")
    assert make_once("zoo/b", make).read_bytes() == BODY and len(made) == 2


# --- Google Drive -------------------------------------------------------------------------------------------------

CONFIRM = (
    "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
    '<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">'
    '<input type="hidden" name="id" value="FILE"><input type="hidden" name="confirm" value="t"></form></body></html>'
)
REFUSED = '<html><head></head><body><p class="uc-error-subcaption">Too many users have viewed this.</p></body></html>'


@pytest.fixture
def drive(server, monkeypatch, tmp_path):
    """Send what goes to Google Drive to the server on this machine."""
    monkeypatch.setattr(GDOWN, "DEFAULT_COOKIES_FILE", str(tmp_path / "cookies.txt"))
    send = requests.Session.send

    def redirected(session, request, **options):
        address = urllib.parse.urlsplit(request.url)
        assert address.hostname == "127.0.0.1" or address.hostname.endswith("google.com")
        request.url = urllib.parse.urlunsplit(("http", server.url.removeprefix("http://"), *address[2:]))
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", redirected)
    server.put("/uc", CONFIRM.encode(), kind="text/html; charset=utf-8")
    return server


FILE = {"Content-Disposition": 'attachment; filename="model.pth"'}


def test_google_drives_confirm_page(drive, home):
    drive.put("/download", BODY, headers=FILE)
    assert fetch(["gdrive:FILE"], "a.pth", sha256=SHA).read_bytes() == BODY
    assert [request.path for request in drive.requests] == ["/uc?id=FILE", "/download?id=FILE&confirm=t"]
    assert names(home) == ["a.pth", "a.pth.sha256"]


def test_google_drive_is_resumed(drive, home, monkeypatch):
    monkeypatch.setattr(GDOWN.random, "uniform", lambda *_: 0.0)  # its pause
    drive.put("/download", BODY, headers=FILE, cuts=[700_000])
    assert fetch(["gdrive:FILE"], "a.pth", sha256=SHA).read_bytes() == BODY
    assert "bytes=" in (drive.requests[-1].range or "")


def test_google_drive_refuses(drive, home):
    drive.put("/uc", REFUSED.encode(), kind="text/html; charset=utf-8")
    with pytest.raises(WeightsError, match=r"gdrive:FILE: Failed to retrieve file url: Too many users"):
        fetch(["gdrive:FILE"], "a.pth")
    assert names(home) == []


def test_google_drive_gives_another_file(drive, home):
    drive.put("/download", BODY[::-1], headers=FILE)
    with pytest.raises(WeightsError, match="gdrive:FILE: what came is not the file"):
        fetch(["gdrive:FILE"], "a.pth", sha256=SHA)
    assert names(home) == []


def test_google_drive_gives_more_than_it_is_to(drive, home):
    drive.put("/download", BODY * 3, headers=FILE)
    with pytest.raises(WeightsError, match="gdrive:FILE: more than the 1,000 bytes came"):
        fetch(["gdrive:FILE"], "a.pth", size=1000)
    assert not (home / "a.pth").exists()


def test_a_leftover_of_another_file_is_not_continued_for_ever(drive, home):
    home.mkdir()
    drive.put("/download", BODY, headers=FILE, ranges=False)
    (home / "a.pth.part.gdriveabcdefgh.part").write_bytes(b"x" * 100)
    assert fetch(["gdrive:FILE"], "a.pth", sha256=SHA).read_bytes() == BODY
    drive.put("/download", BODY, headers=FILE)
    (home / "b.pth.part.gdriveabcdefgh.part").write_bytes(b"x" * 100)
    assert fetch(["gdrive:FILE"], "b.pth", sha256=SHA).read_bytes() == BODY


def test_google_drive_is_waited_for_no_longer_than_said(drive, home, monkeypatch):
    given = {}

    def fake(**options):
        given.update(options)
        raise requests.exceptions.ReadTimeout("read timed out")

    monkeypatch.setattr("gdown.download", fake)
    with pytest.raises(WeightsError, match="gdrive:FILE: read timed out"):
        fetch(["gdrive:FILE"], "a.pth")
    assert given["timeout"] == download.TIMEOUT


# --- a server that sends more than it should -------------------------------------------------------------------------


@pytest.mark.parametrize("length", [True, False])
def test_a_body_longer_than_its_index_says_is_cut_off(server, home, length):
    url = server.put("/a.bin", b"x" * 3_000_000, length=length)
    with pytest.raises(
        WeightsError, match=r"3,000,000 bytes there, and is to have 1,000|more than the 1,000 bytes came"
    ):
        fetch([url], "a.bin", size=1000)
    assert [path.name for path in home.rglob("*") if path.is_file() and path.stat().st_size] == []


@pytest.mark.parametrize("length", [True, False])
def test_a_body_longer_than_the_most_is_cut_off(server, tmp_path, length):
    url = server.put("/a.bin", b"x" * 3_000_000, length=length)
    with pytest.raises(download.TransferError, match="more than the 1,000,000 bytes came"):
        download.from_http(url, tmp_path / "a.part", most=1_000_000)
    assert list(tmp_path.iterdir()) == []
    assert not download.from_http(url, tmp_path / "b.part", most=3_000_000)


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_what_was_checked_is_what_is_read(server, suffix, later, tmp_path):
    """Who can write to the cache cannot exchange a file between its check and its reading."""
    good, bad = tmp_path / f"good.{suffix}", tmp_path / f"bad.{suffix}"
    for path, value in ((good, 1.0), (bad, 2.0)):
        (save_file if suffix == "safetensors" else torch.save)({"a": torch.full((2,), value)}, path)
    data = good.read_bytes()
    path = fetch([server.put("/a", data)], f"a.{suffix}", sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    assert torch.equal(safe_read(path)["a"], torch.ones(2))
    if later:  # another process finds the copy, and compares it
        cache._checked.clear()
        assert fetch([], f"a.{suffix}", sha256=hashlib.sha256(data).hexdigest()) == path
    path.write_bytes(bad.read_bytes())
    with pytest.raises(WeightsError, match="was exchanged since its checksum was compared"):
        safe_read(path)
    if suffix == "safetensors":
        with pytest.raises(WeightsError, match="was exchanged since its checksum was compared"):
            header_if_any(path)
