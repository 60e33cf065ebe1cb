"""``hf:`` addresses against a stand-in of the hub on this machine."""

from __future__ import annotations

import hashlib

import pytest
import torch

from reidzoo.errors import WeightsError
from reidzoo.weights import hub
from reidzoo.weights.cache import fetch
from reidzoo.weights.loading import local_file

pytest.importorskip("huggingface_hub")

BODY = b"weights" * 1000
SHA = hashlib.sha256(BODY).hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def the_hub(server, monkeypatch):
    """Return the stand-in; files are put at ``/OWNER/NAME/resolve/REVISION/FILE``."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")

    def put(path, body):
        server.put(path, body, headers={"X-Repo-Commit": COMMIT})

    server.offer = put
    return server


def test_a_file_comes_once_and_leaves_nothing_else(the_hub, home):
    the_hub.offer("/owner/net/resolve/main/sub/model.bin", BODY)
    path = fetch(["hf:owner/net/sub/model.bin"], "a.bin", sha256=SHA)
    assert path.read_bytes() == BODY
    asked = len(the_hub.requests)
    assert fetch(["hf:owner/net/sub/model.bin"], "a.bin", sha256=SHA) == path and len(the_hub.requests) == asked
    assert sorted(p.name for p in home.iterdir()) == ["a.bin", "a.bin.lock", "a.bin.sha256"]


def test_a_revision(the_hub):
    the_hub.offer("/owner/net/resolve/v1.0/model.bin", BODY)
    assert fetch(["hf:owner/net@v1.0/model.bin"], "a.bin").read_bytes() == BODY


def test_weights_are_named_by_hf(the_hub, tmp_path):
    torch.save({"weight": torch.ones(2)}, tmp_path / "model.pth")
    the_hub.offer("/owner/net/resolve/main/model.pth", (tmp_path / "model.pth").read_bytes())
    path = local_file("hf://owner/net/model.pth")
    assert path.name == "model.pth" and torch.load(path, weights_only=True)["weight"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "address, message",
    [
        ("hf:owner/net/missing.bin", "hf:owner/net/missing.bin: .*Not.?Found"),
        ("hf:owner/net", "a file of the hub is hf:OWNER/NAME/FILE"),
        ("hf:owner/net/../other/model.bin", "a file of the hub is hf:OWNER/NAME/FILE"),
    ],
)
def test_what_the_hub_does_not_give(the_hub, address, message):
    with pytest.raises(WeightsError, match=message):
        fetch([address], "a.bin")


def test_another_file_than_it_is_to_be(the_hub):
    the_hub.offer("/owner/net/resolve/main/model.bin", BODY[::-1])
    with pytest.raises(WeightsError, match="what came is not the file"):
        fetch(["hf:owner/net/model.bin"], "a.bin", sha256=SHA)


def test_without_the_client_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    assert hub.HUB == "hf:"
    with pytest.raises(WeightsError, match=r"pip install 'reidzoo\[hub\]'"):
        fetch(["hf:owner/net/model.bin"], "a.bin")
