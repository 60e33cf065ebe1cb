from __future__ import annotations

import hashlib

import pytest
import yaml

from reidzoo.errors import UserError
from reidzoo.publishing.index_writer import write_entry
from reidzoo.publishing.model_zoo_page import render_page

COMMAND = "tools/train_net.py --config-file projects/A/mini.yml --output-dir output/A --resume"
PUBLISHED = {
    "config": None, "addresses": ["gdrive:abc"], "sha256": None, "size": None, "convert": "fastreid",
    "metrics": {"Market1501": {"mAP": 0.861, "rank-1": 0.944}}, "data": "Market1501", "source": "its model zoo",
    "licence": "Apache-2.0", "version": None,
}  # fmt: skip


def add_model(root, name, project="A", **changes):
    content = name.encode()
    sidecar = {
        "name": name, "config": f"projects/{project}/mini.yml", "stage": "adapt", "data": "Duke twin", "seed": 0,
        "command": COMMAND, "commit": "0123456789", "uncommitted": "none", "versions": {"reidzoo": "0.1.0"},
        "source": "measured here", "licence": "Apache-2.0", "backbone": "ResNet-18, width 16", "dtype": "float16",
        "kept_metrics": {"Market twin": {"mAP": 0.3614, "rank-1": 0.475}, "MSMT17 twin": {"mAP": 0.2, "rank-1": 0.3}},
        "size": 1_400_000, "sha256": hashlib.sha256(content).hexdigest(), **changes,
    }  # fmt: skip
    (root / "zoo" / f"{name}.safetensors").write_bytes(content)
    (root / "zoo" / f"{name}.yml").write_text(yaml.safe_dump(sidecar, sort_keys=False))
    write_entry(root / "zoo" / "index.yml", root / "zoo", sidecar)


@pytest.fixture
def root(tmp_path):
    for folder in ("zoo", "reidzoo/zoo", "projects/A", "projects/B", "configs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "zoo" / "index.yml").write_text("{}\n")
    results = {"one": {"X twin": {"mAP": 0.1, "rank-1": 0.2}}, "adapt": {"probe": {}, "X twin": {"mAP": 0.5}}}
    for project in "AB":
        command = COMMAND.replace("projects/A", f"projects/{project}").replace("--resume", "DEVICE cpu")
        run = {"command": command, "results": results}
        (tmp_path / "projects" / project / "results.yml").write_text(yaml.safe_dump({"mini": run}, sort_keys=False))
    return tmp_path


def cells(page):
    """Return the words of each row of the page's tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]


def test_ours(root):
    add_model(root, "a_mini")
    page = render_page(root)
    rows = cells(page)
    link = "[projects/A/mini.yml](projects/A/mini.yml), adapt"
    assert ["**a_mini**", "ResNet-18, width 16", "Duke twin", "Market twin", "36.1", "47.5", "1.4 MB", link] in rows
    assert ["", "", "", "MSMT17 twin", "20.0", "30.0", "", ""] in rows
    assert 'reidzoo.load("a_mini")' in page and "rendered twins" in page and "commit 0123456:" in page
    assert "### [A](projects/A/README.md)" in page


def test_a_run_without_a_kept_model_is_listed_once(root):
    add_model(root, "a_mini")
    rows = cells(render_page(root))
    recorded = [row for row in rows if row[-2:] == ["50.0", ""]]
    assert recorded == [["`tools/train_net.py --config-file projects/B/mini.yml`", "adapt", "X twin", "50.0", ""]]


def test_a_run_on_record_is_named_with_its_threads(root):
    add_model(root, "a_mini")
    path = root / "projects" / "B" / "results.yml"
    run = yaml.safe_load(path.read_text())["mini"] | {"threads": "2"}
    path.write_text(yaml.safe_dump({"mini": run}, sort_keys=False))
    (recorded,) = [row for row in cells(render_page(root)) if row[-2:] == ["50.0", ""]]
    assert recorded[0] == "`OMP_NUM_THREADS=2 tools/train_net.py --config-file projects/B/mini.yml`"


def test_published_ones_have_a_table_of_their_own(root):
    (root / "reidzoo" / "zoo" / "index_published.yml").write_text(yaml.safe_dump({"bot": PUBLISHED}))
    page = render_page(root)
    assert page.index("## Published by others") < page.index("### [B]") and "## ImageNet's weights" not in page
    assert ["**bot**", "Market1501", "Market1501: mAP 86.1, rank-1 94.4", "its model zoo"] in [
        r[:4] for r in cells(page)
    ]


def test_a_bar_within_a_cell_does_not_end_it(root):
    bar = {**PUBLISHED, "source": "a | b"}
    (root / "reidzoo" / "zoo" / "index_published.yml").write_text(yaml.safe_dump({"bot": bar}))
    assert r"| a \| b " in render_page(root)


def test_backbones_stand_apart_from_models_of_people(root):
    backbone = {**PUBLISHED, "data": "ImageNet-1k", "metrics": {"ImageNet": {"top-1": 0.761}}}
    (root / "reidzoo" / "zoo" / "index_published.yml").write_text(yaml.safe_dump({"r50": backbone, "bot": PUBLISHED}))
    published, backbones = render_page(root).split("## ImageNet's weights")
    assert "**bot**" in published and "**r50**" not in published
    assert "**r50**" in backbones and "**bot**" not in backbones


def test_uncommitted_code_is_told(root):
    add_model(root, "a_mini", uncommitted="reidzoo/x.py")
    add_model(root, "b_mini", uncommitted="unknown")
    page = render_page(root)
    assert "commit 0123456 with uncommitted changes of reidzoo/x.py" in page
    assert "commit 0123456 (whether with uncommitted changes is unknown)" in page


def test_what_does_not_belong_together_is_an_error(root):
    add_model(root, "a_mini")
    (root / "zoo" / "a_mini.safetensors").write_bytes(b"another")
    with pytest.raises(UserError, match=r"a_mini\.yml says sha256"):
        render_page(root)
    (root / "zoo" / "a_mini.yml").unlink()
    with pytest.raises(UserError, match="has no sidecar"):
        render_page(root)
