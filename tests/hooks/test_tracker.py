"""A run that is watched: killed and resumed, each tracker has one curve, with the values of the run's own log."""

from __future__ import annotations

import json
import re
import signal
import struct
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from reidzoo.config import load_config
from reidzoo.errors import ConfigError, Paused, UserError
from reidzoo.hooks import LogHook, MLflowHook, TensorBoardHook, TrackerHook, WandbHook
from reidzoo.hooks.tracker import _offset, scalars_of
from reidzoo.registry import HOOK
from reidzoo.runs.pipeline import Pipeline

HOOKS = {
    "tensorboard": {"type": "TensorBoardHook"},
    "wandb": {"type": "WandbHook", "mode": "offline", "images": 2},
    "mlflow": {"type": "MLflowHook", "images": 0},
}


def expected(folder):
    """Return name -> {step: value} of the run's log."""
    curves: dict[str, dict[int, float]] = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for name, value in scalars_of(row).items():
            curves.setdefault(name, {})[row["iter"]] = value
    return curves


def from_tensorboard(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder / "tensorboard"), {"scalars": 0, "images": 0}).Reload()
    curves = {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
    return curves, events.Tags()["images"]


def records(content):
    """Yield the records of a ``.wandb`` file: LevelDB's log in blocks of 32 KiB, behind seven bytes of its own."""
    place, parts = 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # no header fits into the rest of a block
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole one, or the last part of one
            yield parts
            parts = b""


def from_wandb(folder):
    """Return the curves in the last file that waits to be synchronised, and the id of its run."""
    proto = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    curves: dict[str, list] = {}
    *_, last = sorted(folder.glob("wandb/offline-run-*/*.wandb"))
    for data in records(last.read_bytes()):
        record = proto.Record.FromString(data)
        if record.HasField("run"):
            run_id = record.run.run_id
        items = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
        for name, value in items.items():
            if name == "epoch" or name.startswith(("loss/", "lr/", "evaluation/")):
                curves.setdefault(name, []).append((int(items["_step"]), float(value)))
    return curves, run_id


def from_mlflow(run, folder):
    mlflow = pytest.importorskip("mlflow")
    client = mlflow.MlflowClient(tracking_uri=(run / "mlruns").resolve().as_uri())
    known = client.get_run(json.loads((folder / "mlflow.json").read_text())["run"])
    assert known.info.status == "FINISHED"
    return {
        key: [(point.step, point.value) for point in client.get_metric_history(known.info.run_id, key)]
        for key in known.data.metrics
    }


def test_a_killed_and_resumed_run_continues_the_same_curves(write_config, run_tool, tmp_path, killer, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # for what reads it here
    kill = {"type": "KillOnceHook", "at": 7, "marks": str(tmp_path / "marks")}
    config = write_config(
        PLUGINS=[killer.stem], HOOKS={**HOOKS, "kill": kill}, LOG={"PERIOD": 1}, TEST={"EVAL_PERIOD": 1},
        SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 4, "MAX_EPOCHS": 2, "CHECKPOINT_ITERS": 3},
    )  # fmt: skip
    (tmp_path / "marks").mkdir()
    killed = run_tool("train_net.py", "--config-file", config)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    run = tmp_path / "run"
    (run / "drawn.svg").write_text("<svg/>")  # by some other hook
    (run / "report").mkdir()
    Image.new("RGB", (8, 8)).save(run / "report" / "curves.png")
    resumed = run_tool("train_net.py", "--config-file", config, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert f"reidzoo report {run}" in resumed.stdout
    printed = killed.stderr + resumed.stderr  # what the console shows
    assert re.search(r"epoch 1/2 .* images/s  \d+ s left\n", printed) and re.search(r"epoch 2/2 .* images/s\n", printed)
    assert len(re.findall(r"Market1501 twin: mAP [\d.]+, rank-1 [\d.]+, mINP [\d.]+ \(percent\)", printed)) == 2

    curves = expected(run)
    assert list(curves["loss/id"]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert list(curves["evaluation/Market1501 twin/mAP"]) == [4, 8]
    found, images = from_tensorboard(run)
    assert len(list((run / "tensorboard").glob("events*"))) == 2 and set(images) == {"batch/img", "curves"}
    steps = {name: [step for step, _ in points] for name, points in found.items()}
    assert steps == {name: list(points) for name, points in curves.items()}  # each once, in order
    for name, points in found.items():
        assert [value for _, value in points] == pytest.approx(list(curves[name].values()), rel=1e-6)

    found = from_mlflow(run, run)
    assert {name: dict(points) for name, points in found.items()} == curves
    assert all(len(points) == len(curves[name]) for name, points in found.items())
    kept = {path.name for path in run.glob("mlruns/*/*/artifacts/*")}
    assert kept == {"config.yml", "drawn.svg", "curves.png"}

    found, run_id = from_wandb(run)
    assert {name: dict(points) for name, points in found.items()} == curves
    assert all(len(points) == len(curves[name]) for name, points in found.items())
    assert len(list(run.glob(f"wandb/offline-run-*-{run_id}"))) == 2  # one run in two parts


class NotingTracker(TrackerHook):
    """Notes when its run is opened and closed, and asks for a pause when the first one is."""

    module = "json"
    calls: ClassVar[list] = []

    def start(self, runner, name, config):
        runner.hooks["checkpoint"].asked_to_stop = not self.calls
        self.calls.append("start")
        return True

    def put_scalars(self, scalars, step):
        self.calls.append(step)

    def put_image(self, name, image, step):
        pass

    def put_file(self, path, step):
        pass

    def finish(self):
        self.calls.append("finish")


def test_a_paused_run_is_closed_and_opened_again(write_config, monkeypatch):
    monkeypatch.setitem(HOOK.module_dict, "NotingTracker", NotingTracker)
    solver = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 1}
    cfg = load_config(write_config(HOOKS={"tracker": {"type": "NotingTracker"}}, LOG={"PERIOD": 1}, SOLVER=solver))
    with pytest.raises(Paused):
        Pipeline(cfg).train()
    assert NotingTracker.calls == ["start", 1, "finish"]
    Pipeline(cfg).train(go_on=True)
    assert NotingTracker.calls[3:] == ["start", 1, 2, 2, "finish"]  # the last line is the evaluation's


def test_where_a_run_is_shown(tmp_path, monkeypatch):
    """Options that name a place reach the client, whose own settings count where they are empty."""
    calls = []

    class Client:
        def __init__(self, tracking_uri=None):
            calls.append(tracking_uri)

        def get_experiment_by_name(self, name):
            calls.append(name)

        create_experiment = get_experiment_by_name

        def create_run(self, *_, **__):
            return SimpleNamespace(info=SimpleNamespace(run_id="1"))

        def log_text(self, *_):
            pass

    wandb = SimpleNamespace(Settings=dict, init=lambda **named: calls.append(named))
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(MlflowClient=Client))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    runner = SimpleNamespace(output_dir=tmp_path, cfg=SimpleNamespace(OUTPUT_DIR=str(tmp_path)))
    MLflowHook(uri="http://here:5000", experiment="mine").start(runner, "a/b", "")
    assert calls == ["http://here:5000", "mine", "mine"]
    (tmp_path / "mlflow.json").unlink()
    calls.clear()
    MLflowHook().start(runner, "a/b", "")
    assert calls == [(tmp_path / "mlruns").resolve().as_uri(), "reidzoo", "reidzoo"]
    calls.clear()
    WandbHook("mine", mode="disabled", entity="us").start(runner, "a/b", "{}")
    WandbHook().start(runner, "a/b", "{}")
    shown = [(call["project"], call["mode"], call["entity"], call["group"]) for call in calls]
    assert shown == [("mine", "disabled", "us", "a"), ("reidzoo", None, None, "a")]


def test_names_of_a_line_of_the_log():
    row = {"iter": 8, "epoch": 2, "evaluation": {"Market1501 twin": {"mAP": 0.5}, "note": "none"}}
    assert scalars_of(row) == {"evaluation/Market1501 twin/mAP": 0.5}
    assert scalars_of({"iter": 1, "epoch": 0, "step": 1, "id": 2, "lr/model": 0.1, "on": True}) == {
        "epoch": 0.0, "loss/id": 2.0, "lr/model": 0.1,
    }  # fmt: skip


def test_what_is_passed_on_again_begins_at_the_checkpoint(tmp_path):
    lines = [json.dumps({"iter": n}) + "\n" for n in (2, 4, 4, 6)]
    (tmp_path / "log").write_text("".join(lines))
    assert [_offset(tmp_path / "log", n) for n in (0, 4, 5, 7)] == [
        0,
        len(lines[0]),
        3 * len(lines[0]),
        4 * len(lines[0]),
    ]


@pytest.mark.parametrize(
    "hook, module", [(TensorBoardHook, "torch.utils.tensorboard"), (WandbHook, "wandb"), (MLflowHook, "mlflow")]
)
def test_the_rehearsal_says_what_is_missing(hook, module, monkeypatch):
    class Runner:
        hooks = {"log": LogHook()}

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"reidzoo\[{hook.extra}\]"):
        hook().rehearse(Runner)
    monkeypatch.setitem(sys.modules, module, np)  # anything that is there
    hook().rehearse(Runner)
    monkeypatch.setattr(Runner, "hooks", {})
    with pytest.raises(ConfigError, match="passes on what LogHook writes"):
        hook().rehearse(Runner)
