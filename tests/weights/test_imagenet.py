"""Published weights: torch's checksum in the name, errors, checkpoints and model files. The downloads are the hub's."""

from __future__ import annotations

import hashlib

import pytest
import torch

from reidzoo.backbones import ResNet
from reidzoo.config import get_cfg
from reidzoo.errors import WeightsError
from reidzoo.models import Embedder
from reidzoo.registry import SCHEME
from reidzoo.weights.imagenet import fetch_published
from reidzoo.zoo import write_model_file

BACKBONE = {"type": "ResNet", "depth": 18, "width": 4}


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("REIDZOO_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def publish(folder, content=b"weights", digest=""):
    digest = digest or hashlib.sha256(content).hexdigest()[:8]
    path = folder / f"net-{digest}.pth"
    path.write_bytes(content)
    return path


def test_the_checksum_in_the_name_is_checked(home, tmp_path):
    published = publish(tmp_path)
    assert fetch_published(published.as_uri()) == published
    published.write_bytes(b"weig")
    with pytest.raises(WeightsError, match=r"its SHA-256 is .* and is to begin with"):
        fetch_published(published.as_uri())
    by_hand = publish(home, digest="0123abcd")
    with pytest.raises(WeightsError, match=r"damaged.*Delete it"):
        fetch_published(published.as_uri().replace(published.name, by_hand.name))


def test_offline_a_file_put_by_hand_is_taken(home):
    path = publish(home)
    assert fetch_published(f"http://127.0.0.1:1/{path.name}") == path


def test_offline_says_where_to_put_the_file(home):
    url = "http://127.0.0.1:1/net-0123abcd.pth"
    with pytest.raises(WeightsError) as caught:
        fetch_published(url)
    for word in (url, str(home / "net-0123abcd.pth"), "$REIDZOO_HOME", "refused", "'pretrained'"):
        assert word in str(caught.value)


@pytest.mark.parametrize("works", [True, False])
def test_google_drive_goes_through_gdown(home, monkeypatch, works):
    def download(id, output, **options):
        if not works:
            raise RuntimeError("quota exceeded")
        with open(output, "wb") as file:
            file.write(id.encode())

    monkeypatch.setattr("gdown.download", download)
    if works:
        assert fetch_published("gdrive:abc", "osnet.pth").read_bytes() == b"abc"
    else:
        with pytest.raises(WeightsError, match="gdrive:abc: quota exceeded"):
            fetch_published("gdrive:abc", "osnet.pth")
    assert (home / "osnet.pth").exists() == works


def test_of_a_runs_checkpoint_the_models_backbone_is_taken(tmp_path):
    model = Embedder(BACKBONE, {"type": "BNNeck"}, num_classes=3)
    torch.save({"epoch": 3, "parts": {"model": model.state_dict()}, "optims": {}}, tmp_path / "model_final.pth")
    loaded = ResNet(18, width=4, pretrained=str(tmp_path / "model_final.pth"))
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    with pytest.raises(WeightsError, match="of another shape"):
        ResNet(18, width=8, pretrained=str(tmp_path / "model_final.pth"))


def test_of_a_model_of_the_zoo_too(tmp_path, monkeypatch):
    model = Embedder(BACKBONE, {"type": "BNNeck"})
    config = {**get_cfg(), "BACKBONE": BACKBONE, "HEAD": {"type": "BNNeck"}}
    write_model_file(tmp_path / "net.safetensors", model.state_dict(), config, {})
    SCHEME.get("zoo")  # registered before it is replaced
    monkeypatch.setitem(SCHEME.module_dict, "zoo", lambda name: {"net": tmp_path / "net.safetensors"}[name])
    loaded = ResNet(18, width=4, pretrained="zoo://net")
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
