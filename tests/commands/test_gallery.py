"""``reidzoo gallery`` and ``reidzoo serve`` from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from reidzoo.commands import call, main
from reidzoo.errors import GalleryError, UserError
from reidzoo.evaluation import Calibration
from reidzoo.weights.model_file import read_model_file, write_model_file

from ..conftest import draw_person
from ..served_models import home, tiny_config, write_tiny  # noqa: F401


@pytest.fixture
def gallery(write_tiny, tmp_path, capsys):  # noqa: F811
    """A gallery's folder of Ann, Bob and Cleo, each by the cameras 0 and 10."""
    for pid, name in enumerate(("Ann", "Bob", "Cleo")):
        for camera in (0, 10):
            draw_person(tmp_path / "people" / name / f"{name}_c{camera}.jpg", pid, camera, 0)
    call("gallery", "build", tmp_path / "kept", tmp_path / "people", "--weights", write_tiny()[0])
    assert "6 images of 3 known identities and 2 known cameras" in capsys.readouterr().out
    return tmp_path / "kept"


def test_search_add_and_remove(gallery, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("gallery", "search", gallery, "people/Bob/Bob_c0.jpg", "-k", 2, "--camera", "0")
    query, first, second = capsys.readouterr().out.splitlines()
    assert query == "people/Bob/Bob_c0.jpg"
    assert first.split() == ["1.000", "identity", "Bob", "camera", "0", "people/Bob/Bob_c0.jpg"]
    assert "camera 0" in second
    draw_person(tmp_path / "new.jpg", 9, 0, 0)
    call("gallery", "add", gallery, "new.jpg", "people/Bob/Bob_c0.jpg", "--identity", "Dora", "--camera", "door")
    assert "1 added, 1 were there already" in capsys.readouterr().out
    call("gallery", "search", gallery, "new.jpg", "--rerank", "--json")
    (matches,) = json.loads(capsys.readouterr().out)
    assert matches[0]["identity"] == "Dora" and matches[0]["camera"] == "door" and len(matches) == 7
    call("gallery", "remove", gallery, "new.jpg", "--identity", "Ann")
    assert "3 removed" in capsys.readouterr().out
    with pytest.raises(UserError, match="nothing of that name or identity is in"):
        call("gallery", "remove", gallery, "--identity", "Anna")
    call("gallery", "show", gallery)
    assert "4 images of 2 known identities" in capsys.readouterr().out


def test_probabilities_of_a_calibrated_copy_say_what_they_are_for(gallery, write_tiny, tmp_path, capsys):  # noqa: F811
    content = read_model_file(tmp_path / "tiny.safetensors")
    curve = Calibration(0.9, 0.01, (0.8, 1.0), 0.5, "logistic", 8.0, -4.0, (0.0, 1.0), (0.1, 0.9))
    path = tmp_path / "calibrated.safetensors"
    write_model_file(path, content.state, content.config, {**content.info, "calibration": curve.to_dict()})
    query = tmp_path / "people" / "Bob" / "Bob_c0.jpg"
    for prior, words in ((0.5, ()), (0.2, ("--prior", 0.2))):  # 0.2: the pairs of one person among those of six images
        call("gallery", "search", gallery, query, "-k", 1, "--weights", path, *words)
        said = capsys.readouterr().out
        assert f"{100 * float(curve.probability(1.0, prior)):5.1f} %  identity Bob" in said
        assert f"at a prior of {100 * prior:g} %, the share of pairs of one identity" in said
        assert "among this gallery's images it is 20 %: --prior 0.2" in said


def test_a_datasets_split(write_tiny, tiny_root, tmp_path, capsys):  # noqa: F811
    arguments = ("--weights", write_tiny()[0], "--data-root", tiny_root, "--split", "query")
    call("gallery", "build", tmp_path / "kept", "Market1501", *arguments)
    assert "24 images of 12 known identities and 2 known cameras" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, message",
    [
        (["build", "new", "people"], "takes --weights MODEL"),
        (["search", "kept"], "reidzoo gallery search takes images"),
        (["remove", "kept"], "takes names of images, or --identity"),
        (["search", "kept", "new.jpg", "--identity", "x"], "search takes no --identity"),
        (["add", "kept", "people", "--identity", "x"], "of single images"),
        (["add", "kept", "new.jpg", "--identity", ""], "--identity takes a name"),
        (["show", "nowhere"], "is not a gallery: there is no such folder"),
        (["show", "kept", "-k", "0"], "--matches one from 1 up"),
    ],
)
def test_mistakes_are_told(gallery, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        call("gallery", *words)


@pytest.mark.parametrize("words", [["--max-megabytes", "nan"], ["--max-megapixels", "inf"], ["--max-megabytes", "0"]])
def test_limits_are_numbers(words):
    with pytest.raises(UserError, match="take numbers above 0"):
        call("serve", "kept", *words)


def test_serve_takes_an_address_an_index_and_limits(gallery, monkeypatch, capsys):
    uvicorn = pytest.importorskip("uvicorn", reason="pip install 'reidzoo[serve]'")
    made = {}
    monkeypatch.setattr("reidzoo.gallery.server.create_app", lambda *given: made.update(given=given))
    monkeypatch.setattr("reidzoo.gallery.gallery.open_index", lambda index: made.update(index=index))
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: made.update(at=sockets[0].getsockname()[0]))
    words = ["--host", "0.0.0.0", "--port", "0", "--max-megabytes", "2", "--max-megapixels", "3"]
    call("serve", gallery, *words, "--index", "faiss")
    _, limits, hosts, prior = made["given"]
    assert made["at"] == "0.0.0.0" and made["index"] == "faiss"
    assert (limits.bytes, limits.pixels, hosts, prior) == (2 * 1024**2, 3 * 10**6, None, None)
    assert "there is no password" in capsys.readouterr().err
    call("serve", gallery, "--port", "0")
    assert made["at"] == "127.0.0.1" and made["index"] == "exact" and "127.0.0.1" in made["given"][2]
    assert not capsys.readouterr().err


def test_a_mistake_exits_with_2(capsys):
    with pytest.raises(SystemExit) as end:
        main(["gallery", "show", "nowhere"])
    assert end.value.code == 2 and capsys.readouterr().err.startswith("error: ")


@pytest.mark.slow
def test_serve_listens_where_it_says_until_it_is_interrupted(gallery):
    pytest.importorskip("uvicorn", reason="pip install 'reidzoo[serve]'")
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "reidzoo", "serve", str(gallery), "--port", "0"]
    env = {**os.environ, "PYTHONPATH": root, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        line = process.stdout.readline()
        assert "6 images at http://127.0.0.1:" in line, process.stderr.read()
        address = line.split(" at ")[1].split()[0]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert json.load(opener.open(f"{address}/api/gallery", timeout=60))["images"] == 6
        port = address.rpartition(":")[2]
        with pytest.raises(UserError, match=f"cannot listen at 127.0.0.1, port {port}"):
            call("serve", gallery, "--port", port)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130, -signal.SIGINT)
    finally:
        process.kill()
        process.communicate()
    with pytest.raises(GalleryError, match="is not a gallery"):
        call("serve", "nowhere")
