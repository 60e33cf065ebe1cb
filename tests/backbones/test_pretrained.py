"""Fetching published weights: checksum, offline errors, files put by hand. Addresses are file:// only."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from reidzoo.backbones import ResNet
from reidzoo.backbones.pretrained import fetch, weights_home
from reidzoo.errors import WeightsError
from reidzoo.models import Embedder


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("REIDZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def publish(folder, content=b"weights", digest=""):
    digest = digest or hashlib.sha256(content).hexdigest()[:8]
    path = folder / f"net-{digest}.pth"
    path.write_bytes(content)
    return path


def test_home_is_the_environments_or_the_cache(monkeypatch):
    monkeypatch.setenv("REIDZOO_HOME", "somewhere")
    assert weights_home() == Path("somewhere")
    monkeypatch.delenv("REIDZOO_HOME")
    assert weights_home() == Path.home() / ".cache" / "reidzoo"


def test_downloads_once_and_checks(home, tmp_path):
    published = publish(tmp_path)
    path = fetch(published.as_uri())
    assert path == home / published.name and path.read_bytes() == b"weights"
    published.unlink()
    assert fetch(published.as_uri()) == path
    path.write_bytes(b"weig")
    with pytest.raises(WeightsError, match=r"damaged.*Delete it"):
        fetch(published.as_uri())


def test_a_wrong_download_is_not_kept(home, tmp_path):
    published = publish(tmp_path, digest="0123abcd")
    with pytest.raises(WeightsError, match="cannot download"):
        fetch(published.as_uri())
    assert list(home.iterdir()) == []


def test_offline_says_where_to_put_the_file(home, monkeypatch):
    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    url = "https://example.org/models/net-0123abcd.pth"
    with pytest.raises(WeightsError) as caught:
        fetch(url)
    for word in (url, str(home / "net-0123abcd.pth"), "$REIDZOO_HOME", "no network"):
        assert word in str(caught.value)


@pytest.mark.parametrize("works", [True, False])
def test_google_drive_goes_through_gdown(home, monkeypatch, works):
    def download(id, output):
        Path(output).write_bytes(b"some" if works else b"so")
        if not works:
            raise RuntimeError("quota exceeded")
        return output

    monkeypatch.setitem(sys.modules, "gdown", types.SimpleNamespace(download=download))
    if works:
        assert fetch("gdrive:abc", "osnet.pth").read_bytes() == b"some"
    else:
        with pytest.raises(WeightsError, match="gdrive:abc: quota exceeded"):
            fetch("gdrive:abc", "osnet.pth")
    assert [path.name for path in home.iterdir()] == (["osnet.pth"] if works else [])


def test_of_a_runs_checkpoint_the_models_backbone_is_taken(tmp_path):
    model = Embedder({"type": "ResNet", "depth": 18, "width": 4}, {"type": "BNNeck"}, num_classes=3)
    torch.save({"epoch": 3, "parts": {"model": model.state_dict()}, "optims": {}}, tmp_path / "model_final.pth")
    loaded = ResNet(18, width=4, pretrained=str(tmp_path / "model_final.pth"))
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    with pytest.raises(WeightsError, match="of another shape"):
        ResNet(18, width=8, pretrained=str(tmp_path / "model_final.pth"))
