"""``reidzoo.load``: names, model files, runs and checkpoints; and ``zoo://NAME`` wherever weights are named."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import reidzoo
from reidzoo.config import load_config
from reidzoo.datasets import build_dataset
from reidzoo.engine.build import build_test_table, load_embedder
from reidzoo.engine.evaluate import extract_table
from reidzoo.errors import ConfigError, UserError, WeightsError
from reidzoo.runs.find_model import find_model
from reidzoo.runs.pipeline import Pipeline
from reidzoo.runs.transfer_matrix import evaluate_model
from reidzoo.weights.cache import sha256_of
from reidzoo.zoo import write_model_file

pytestmark = [pytest.mark.usefixtures("no_indexes"), pytest.mark.slow]
IMAGE = torch.randint(0, 255, (2, 3, 32, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def publish(write_index, write_tiny):
    """Return a function that makes a tiny model known by name; gives its file."""

    def publish(name="tiny_net", index="theirs.yml", **changes):
        path, facts = write_tiny(name, **changes)
        write_index(index, **{name: {"addresses": [f"file:{path.name}"], **facts}})
        reidzoo.zoo.register_index(path.parent / index)
        return path

    return publish


@pytest.fixture
def short(write_config):
    """Return the configuration of a run of two steps that takes what tiny model files have."""

    def write(name="tiny.yml", **changes):
        changes.setdefault("SOLVER", {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 1})
        return write_config(name, **changes)

    return write


def test_import_reidzoo_stays_light():
    code = "import reidzoo, sys; print([m for m in ('torch', 'safetensors', 'gdown', 'yaml') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        reidzoo.lod  # noqa: B018


# --- reidzoo.load --------------------------------------------------------------------------------------------------


def test_by_name_and_by_file(publish, write_index, write_tiny, tmp_path, monkeypatch):
    path = publish()
    found = [reidzoo.load(what).embed(IMAGE) for what in ("tiny_net", "zoo://tiny_net", path, str(path))]
    assert all(torch.equal(one, found[0]) for one in found)
    assert reidzoo.load("tiny_net").info == {"name": "tiny_net", "sha256": sha256_of(path)}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny_net").mkdir()
    assert torch.equal(reidzoo.load("tiny_net").embed(IMAGE), found[0])  # a name goes before a folder of that name
    with pytest.raises(WeightsError, match="is not the folder of a run"):
        reidzoo.load("./tiny_net")
    other, facts = write_tiny("other")
    index = write_index("other.yml", other={"addresses": [f"file:{other.name}"], **facts})
    reidzoo.load("other", index=index)
    assert reidzoo.zoo.list_models() == ["tiny_net", "other"]


def test_what_is_not_there(publish, tmp_path):
    publish("domainmix_mini")
    with pytest.raises(WeightsError, match=r"no model is called 'domainmx_mini'\. Did you mean domainmix_mini"):
        reidzoo.load("domainmx_mini")
    with pytest.raises(WeightsError, match=r"no such weight file, checkpoint or run: output/x"):
        reidzoo.load("output/x")
    torch.save({"a": torch.ones(1)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"a\.pth: there is no config\.yml next to it"):
        reidzoo.load(tmp_path / "a.pth")
    save_file({"a": torch.ones(1)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="holds weights only"):
        reidzoo.load(tmp_path / "a.safetensors")


def test_a_file_that_does_not_fit_its_own_configuration(write_tiny, tiny_config):
    path, _ = write_tiny()
    state = load_file(path)
    state["x"] = state.pop("backbone.conv1.weight")
    write_model_file(path, state, tiny_config(), {})
    with pytest.raises(WeightsError, match=r"(?s)1 missing: backbone\.conv1\.weight.*1 unexpected: x"):
        reidzoo.load(path)


@pytest.mark.parametrize("staged", [False, True])
def test_a_runs_folder_and_checkpoint(short, tmp_path, staged, tiny_root):
    changes = {"STAGES": {"first": {}, "second": {"SEED_OFFSET": 1}}} if staged else {}
    pipeline = Pipeline(load_config(short(**changes)))
    results = pipeline.train()
    last = list(results)[-1]
    run = tmp_path / "run"
    file = run / last / "model_final.pth" if staged else run / "model_final.pth"
    model = reidzoo.load(run)
    assert model.info["metrics"] == results[last] and model.info["sha256"] == sha256_of(file)
    assert torch.equal(reidzoo.load(file).embed(IMAGE), model.embed(IMAGE))
    # What the evaluation extracted is what a user gets.
    cfg = pipeline.stages[last]
    paths = [record.path for record in build_dataset("Market1501", root=tiny_root).query[:5]]
    network = load_embedder(cfg, file)
    expected = extract_table(cfg, network, build_test_table(cfg, paths), torch.device("cpu"), "")
    assert torch.equal(model.embed(paths), expected)
    if staged:
        other = reidzoo.load(run, stage="first")
        assert not torch.equal(other.embed(IMAGE), model.embed(IMAGE))
        assert torch.equal(reidzoo.load(run / "first/model_final.pth").embed(IMAGE), other.embed(IMAGE))
        with pytest.raises(ConfigError, match="there is no stage 'third'; the stages are first, second"):
            reidzoo.load(run, stage="third")
    file.unlink()
    with pytest.raises(WeightsError, match="is the run finished"):
        reidzoo.load(run)


def test_weights_that_only_training_needs_may_be_missing(write_tiny, monkeypatch):
    path, _ = write_tiny()
    cfg = load_config(path)
    model = load_embedder(cfg, path)
    state = {key: value for key, value in model.state_dict().items() if not key.startswith("backbone.conv1")}
    with pytest.raises(WeightsError, match=r"1 missing: backbone\.conv1\.weight"):
        load_embedder(cfg, state)
    monkeypatch.setattr(type(model), "training_only", ("backbone.conv1.*",), raising=False)
    load_embedder(cfg, state)


# --- zoo:// in configurations ---------------------------------------------------------------------------------------


def test_a_run_starts_from_a_model_of_the_zoo(publish, short, tmp_path):
    path = publish()
    ignore = ["head.classifier.*"]
    named = {"ZOO": {"INDEXES": ["theirs.yml"]}, "WEIGHTS_IGNORE": ignore}
    cfg = load_config(short(MODEL={"WEIGHTS": "zoo://tiny_net"}, **named))
    wanted = Pipeline(load_config(short("b.yml", MODEL={"WEIGHTS": str(path)}, WEIGHTS_IGNORE=ignore,
                                        OUTPUT_DIR=str(tmp_path / "by_path")))).train()  # fmt: skip
    assert Pipeline(cfg).train() == wanted
    run = tmp_path / "run"
    assert json.loads((run / "models.json").read_text()) == {
        "zoo://tiny_net": {"file": str(path), "sha256": sha256_of(path)}
    }
    assert not (tmp_path / "by_path/models.json").exists()
    # The folder's configuration names the model, too, and repeats the run.
    again = load_config(run / "config.yml", ["OUTPUT_DIR", str(tmp_path / "again")])
    assert again.MODEL.WEIGHTS == "zoo://tiny_net"
    assert Pipeline(again).train() == wanted


def test_a_run_is_not_resumed_with_another_file_of_the_same_name(publish, short, tmp_path, monkeypatch):
    publish()
    cfg = load_config(short(BACKBONE={"type": "ResNet", "depth": 18, "width": 4, "pretrained": "zoo://tiny_net"}))
    Pipeline(cfg).train()
    Pipeline(cfg).train(go_on=True)
    publish(half=True)
    with pytest.raises(UserError, match=r"the run started from zoo://tiny_net with SHA-256 .* now it is another file"):
        Pipeline(cfg).train(go_on=True)


def test_part_weights_and_backbones_by_name(publish, short, tmp_path):
    path = publish()
    node = {"type": "ResNet", "depth": 18, "width": 4, "last_stride": 1, "pretrained": "zoo://tiny_net"}
    Pipeline(load_config(short(BACKBONE=node, WEIGHTS={}))).train()
    network = reidzoo.registry.BACKBONE.build(node)
    assert torch.equal(network.conv1.weight, load_file(path)["backbone.conv1.weight"])
    opts = ["OUTPUT_DIR", str(tmp_path / "other")]
    with pytest.raises(WeightsError, match="The file has no classifier; to start with a new one"):
        Pipeline(load_config(short(WEIGHTS={"model": "zoo://tiny_net"}), opts)).train()


def test_a_name_that_is_not_there_is_found_out_before_any_training(publish, short, tmp_path):
    publish()
    with pytest.raises(WeightsError, match="Did you mean tiny_net"):
        Pipeline(load_config(short(WEIGHTS={"model": "zoo://tiny_nett"}))).train()
    assert not (tmp_path / "run").exists()


# --- testing by name -------------------------------------------------------------------------------------------------


def test_testing_without_and_with_a_configuration(publish, short, tiny_root, caplog):
    path = publish()
    opts = ["DATASETS.ROOT", str(tiny_root), "DEVICE", "cpu"]
    rows = []
    same = {"INPUT": {"SIZE": [32, 16], "INTERPOLATION": "bilinear"}}
    for given in (
        find_model("", "zoo://tiny_net", opts=opts),
        find_model("", str(path), opts=opts),
        find_model(str(short(**same)), "zoo://tiny_net", opts=opts),
    ):
        assert given.weights == path
        rows.append(evaluate_model(given, ["Market1501", "DukeMTMC"], opts))
    assert [row["name"] for row in rows] == ["tiny_net", "tiny_net", "tiny_net"]
    assert rows[0]["results"] == rows[1]["results"]
    for row in rows:  # what is a model's own is for the configuration to say, and these differ in it
        for figures in row["results"].values():
            del figures["own"]
    assert rows[0]["results"] == rows[2]["results"]
    assert rows[0]["sha256"] == sha256_of(path) and not caplog.records
    # Other preprocessing than the file's is said.
    given = find_model(str(short(INPUT={"SIZE": [32, 16]})), "zoo://tiny_net", opts=opts)
    evaluate_model(given, ["Market1501"], opts)
    assert "was trained with INPUT.INTERPOLATION bilinear, and is tested with bicubic" in caplog.text
    with pytest.raises(WeightsError, match=r"no such weight file, checkpoint or run: nothing\.pth"):
        find_model("", "nothing.pth")
    with pytest.raises(ConfigError, match="give --config-file, or as --weights"):
        find_model()


def test_a_model_file_in_a_runs_folder_has_its_own_configuration(write_tiny, tmp_path):
    path, _ = write_tiny()
    (tmp_path / "config.yml").write_text("SOMEBODY: elses\n")
    model = find_model("", str(path))
    assert model.config == path and model.run is None and model.cfg.BACKBONE.width == 4


def test_test_net_with_an_index_on_the_command_line(publish, run_tool, tiny_root, tmp_path):
    publish()
    out = tmp_path / "out"
    opts = ["DATASETS.ROOT", tiny_root, "DEVICE", "cpu", "ZOO.INDEXES", f"[{tmp_path}/theirs.yml]"]
    run = run_tool("test_net.py", "--weights", "zoo://tiny_net", "--output-dir", out, "--targets", "Market1501", *opts)
    assert run.returncode == 0, run.stderr
    assert "Market1501 twin" in run.stdout and "mAP" in run.stdout and "tiny_net" in run.stdout
    (row,) = json.loads((out / "transfer.json").read_text())["rows"]
    assert row["name"] == "tiny_net" and len(row["sha256"]) == 64
    none = run_tool("test_net.py", "--weights", "zoo://tiny_net", "--output-dir", out, *opts)
    assert none.returncode == 2 and "name the datasets with --targets" in none.stderr


def test_eval_only_by_name(publish, short):
    publish()
    pipeline = Pipeline(load_config(short(INPUT={"SIZE": [32, 16], "INTERPOLATION": "bilinear"})))
    (name,) = pipeline.evaluate("zoo://tiny_net")
    assert name == "tiny_net"
