"""The command line as its users meet it: what works, and how it says what does not."""

from __future__ import annotations

import pickle
import shutil

import pytest
import torch

from reidzoo.commands import call
from reidzoo.errors import UserError


def refused(run) -> str:
    """Return the message of a run that ended as the user's mistake: code 2, one message, no traceback."""
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    return run.stderr


def test_train_prints_the_table_and_where_the_files_are(write_config, run_tool, tmp_path):
    run = run_tool("train_net.py", "--config-file", write_config(), "--seed", 3)
    assert run.returncode == 0, run.stderr
    assert "Market1501 twin" in run.stdout
    assert "rank-20" in run.stdout and "mINP" in run.stdout
    assert str(tmp_path / "run") in run.stdout
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.yml", "environment.json", "log.txt", "metrics.jsonl", "model_final.pth", "results.json"} <= names
    assert "last.pth" not in names

    again = run_tool("train_net.py", "--config-file", write_config())
    assert "--resume" in refused(again)
    assert "seed" in refused(run_tool("train_net.py", "--config-file", write_config(), "--resume"))
    resumed = run_tool("train_net.py", "--config-file", write_config(), "--resume", "--seed", 3)
    assert resumed.returncode == 0
    assert resumed.stdout == run.stdout

    weights = tmp_path / "run" / "model_final.pth"
    tested = run_tool("train_net.py", "--config-file", write_config(), "--eval-only", "MODEL.WEIGHTS", weights)
    assert tested.returncode == 0, tested.stderr
    figures = run.stdout.splitlines()[3].split()[-6:]
    assert tested.stdout.splitlines()[3].split()[-6:] == figures

    reranked = run_tool(
        "train_net.py", "--config-file", write_config(), "--eval-only", "MODEL.WEIGHTS", weights,
        "TEST.RERANK.ENABLED", "true", "TEST.RERANK.K1", 8, "TEST.RERANK.K2", 3,
    )  # fmt: skip
    assert reranked.returncode == 0, reranked.stderr
    assert reranked.stdout.splitlines()[3].split()[-6:] != figures

    repeated = run_tool(
        "train_net.py", "--config-file", tmp_path / "run/config.yml", "--output-dir", tmp_path / "b", own=True
    )
    assert repeated.returncode == 0, repeated.stderr
    first, second = ((tmp_path / name / "metrics.jsonl").read_text() for name in ("run", "b"))
    assert first == second


def test_missing_dataset(write_config, run_tool, tmp_path):
    config = write_config(DATASETS={"TESTS": ["DukeMTMC"], "ROOT": str(tmp_path / "elsewhere")})
    message = refused(run_tool("train_net.py", "--config-file", config))
    for part in ("DukeMTMC", "bounding_box_train", "reidzoo render"):
        assert part in message
    assert not (tmp_path / "run").exists()


def test_an_image_that_a_loader_process_cannot_read(write_config, run_tool, tmp_path, tiny_root):
    folder = tmp_path / "data" / "Market-1501-v15.09.15"
    shutil.copytree(tiny_root / folder.name, folder)
    for path in (folder / "bounding_box_train").iterdir():
        path.write_bytes(path.read_bytes()[:300])
    config = write_config(DATASETS={"ROOT": str(folder.parent)})
    message = refused(run_tool("train_net.py", "--config-file", config, "DATALOADER.NUM_WORKERS", 2))
    assert "bounding_box_train" in message and "cannot be read (" in message


def test_unknown_key(write_config, run_tool):
    message = refused(run_tool("train_net.py", "--config-file", write_config(), "SOLVER.MAX_EPOCH", 2))
    assert "SOLVER.MAX_EPOCHS" in message


def test_missing_config_file(run_tool, tmp_path):
    assert "none.yml" in refused(run_tool("train_net.py", "--config-file", tmp_path / "none.yml"))


def test_missing_weights(write_config, run_tool):
    config = write_config()
    for mode in ([], ["--eval-only"]):
        assert "gone.pth" in refused(
            run_tool("train_net.py", "--config-file", config, *mode, "MODEL.WEIGHTS", "gone.pth")
        )
    assert "MODEL.WEIGHTS" in refused(run_tool("train_net.py", "--config-file", config, "--eval-only"))


def test_class_count_mismatch(write_config, run_tool, tmp_path):
    first = run_tool("train_net.py", "--config-file", write_config(), "SOLVER.MAX_EPOCHS", 1)
    assert first.returncode == 0, first.stderr
    config = write_config(DATASETS={"TRAIN": {"train": ["Market1501", "RandPerson"]}})
    weights = tmp_path / "run" / "model_final.pth"
    arguments = ["--config-file", config, "--output-dir", tmp_path / "other", "MODEL.WEIGHTS", weights]
    message = refused(run_tool("train_net.py", *arguments))
    assert "12 classes" in message and "24" in message and "WEIGHTS_IGNORE" in message
    ignoring = run_tool("train_net.py", *arguments, "WEIGHTS_IGNORE", "['head.classifier.*']", "SOLVER.MAX_EPOCHS", 1)
    assert ignoring.returncode == 0, ignoring.stderr


class Evil:
    def __reduce__(self):
        return print, ("executed",)


def test_checkpoint_with_code_is_refused(write_config, run_tool, tmp_path):
    torch.save({"state_dict": {}, "extra": Evil()}, tmp_path / "evil.pth", pickle_module=pickle)
    run = run_tool(
        "train_net.py", "--config-file", write_config(), "--eval-only", "MODEL.WEIGHTS", tmp_path / "evil.pth"
    )
    assert "evil.pth" in refused(run)
    assert "executed" not in run.stdout


def test_unknown_type_names_the_near_miss(write_config, run_tool):
    message = refused(run_tool("train_net.py", "--config-file", write_config(), "HEAD.type", "BNNek"))
    assert "BNNeck" in message and "HEAD" in message


def test_wrong_argument_names_class_and_parameters(write_config, run_tool):
    message = refused(run_tool("train_net.py", "--config-file", write_config(), "HEAD.poling", "gem"))
    assert "BNNeck" in message and "pooling" in message


def test_loss_of_torch(write_config, run_tool):
    node = {"type": "torch.nn.CrossEntropyLoss", "label_smoothing": 0.1, "inputs": {"input": "logits", "target": "pid"}}
    run = run_tool("train_net.py", "--config-file", write_config(LOSSES={"id": node}), "SOLVER.MAX_EPOCHS", 1)
    assert run.returncode == 0, run.stderr


def test_a_loss_that_is_no_number_stops_the_run(write_config, run_tool, tmp_path):
    (tmp_path / "no_number.py").write_text(
        "from torch import nn\n\nfrom reidzoo.registry import LOSS\n\n\n"
        "@LOSS.register_module()\nclass NoNumber(nn.Module):\n"
        "    def forward(self, feat):\n        return feat.sum() * float('nan')\n"
    )
    config = write_config(PLUGINS=["no_number"], LOSSES={"id": {"type": "NoNumber"}})
    assert "id is nan in a step" in refused(run_tool("train_net.py", "--config-file", config))


def test_a_stage_without_eval_only_is_a_mistake(write_config):
    with pytest.raises(UserError, match="--stage goes with --eval-only"):
        call("train", "--config-file", write_config(), "--stage", "label")
