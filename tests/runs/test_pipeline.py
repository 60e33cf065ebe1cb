from __future__ import annotations

import json
import locale
import logging
import os
import signal
import threading

import numpy as np
import pytest
import torch

from reidzoo.config import load_config
from reidzoo.errors import ConfigError, DatasetError, Paused, UserError, WeightsError
from reidzoo.hooks import evaluate
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK
from reidzoo.runs import environment, pipeline
from reidzoo.runs.run_lock import run_lock

SHORT = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 2}


class SignalHook(Hook):
    """Sends this process a SIGTERM in the event ``event`` of the step or epoch ``at``."""

    def __init__(self, event, at=0):
        self.at = at
        setattr(self, event, self.fire)

    def fire(self, runner, **_):
        if runner.iter == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def signal_hook():
    """Register ``SignalHook`` for a test."""
    HOOK.register_module(name="SignalHook", module=SignalHook, force=True)
    yield
    del HOOK.module_dict["SignalHook"]


def handlers():
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.slow
def test_a_finished_run_keeps_what_it_was_made_with(write_config, tmp_path, monkeypatch):
    path = write_config(SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 1, "MAX_EPOCHS": 1})
    pipeline.Pipeline(load_config(path)).train()
    files = [tmp_path / "run" / name for name in ("config.yml", "environment.json")]
    before = [file.read_text() for file in files]
    monkeypatch.setattr(environment, "environment", lambda: {"commit": "another", "uncommitted": "none"})
    pipeline.Pipeline(load_config(path, ["SOLVER.MAX_EPOCHS", "2"])).train(go_on=True)
    assert [file.read_text() for file in files] == before
    assert "+SOLVER: {MAX_EPOCHS: 2," in (tmp_path / "run" / "log.txt").read_text()  # and says what it did not do


def test_a_table_of_results_shows_every_figure_and_a_dash_for_those_that_older_results_lack():
    old = {"mAP": 0.5, "rank-1": 0.25, "rank-5": 0.5, "rank-10": 1.0, "mINP": 0.125}
    results = {
        "one": {"Market1501 twin": old, "probe": {"accuracy": 0.5}},
        "two": {"MSMT17": {**old, "rank-20": 1.0, "TPR@FPR=0.01": 0.75}},
        "three": {"validation": {**old, "kept_epoch": 12}},
    }
    head, _, *rows = [line.split() for line in pipeline.results_table(results).splitlines()]
    assert head == ["stage", "tested", "on", *pipeline.FIGURES, "TPR@FPR=0.01", "kept_epoch"]
    assert rows == [
        ["one", "Market1501", "twin", "50.0", "25.0", "50.0", "100.0", "-", "12.5", "-", "-"],
        ["two", "MSMT17", "50.0", "25.0", "50.0", "100.0", "100.0", "12.5", "75.0", "-"],
        ["three", "validation", "50.0", "25.0", "50.0", "100.0", "-", "12.5", "-", "12"],
    ]


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        (["DATASETS.TRAIN", "null"], "DATASETS.TRAIN is empty, and there is nothing to train on"),
        (
            ["MODEL.BN_GROUP", "7"],
            "MODEL.BN_GROUP: a batch of 16 images cannot be shared by groups of 7",
        ),
        (["DATASETS.TRAIN.other", "MSMT17", "MODEL.BN_GROUP", "24"], "a batch of 32 images cannot be shared by groups"),
        (["MODEL.BN_DOMAINS", "2", "MODEL.BN_GROUP", "16"], "a batch of 8 images cannot be shared by groups of 16"),
        (["SOLVER.CHUNK", "8", "MODEL.BN_GROUP", "16"], "SOLVER.CHUNK 8 is not a multiple of MODEL.BN_GROUP 16"),
        (["SOLVER.CHUNK", "8", "SOLVER.COMPILE", "graph"], "SOLVER.COMPILE: what is forwarded twice is not compiled"),
        (["LOSSES", "null"], "BaselineTrainer lacks LOSSES: a loss of phase model"),
        (["HOOKS.log.width", "3"], "HOOKS.log: LogHook"),
        (
            ["HOOKS", "{schedule: {type: MultiStepSchedule, milestones: 5}}"],
            "HOOKS.schedule: MultiStepSchedule: milestones",
        ),
    ],
)
def test_what_cannot_be_trained_is_found_out_before_the_first_step(write_config, opts, message):
    with pytest.raises(ConfigError, match=message):
        pipeline.Pipeline(load_config(write_config(), opts)).train()


def test_a_configuration_that_code_changed_is_checked_again(write_config):
    cfg = load_config(write_config())
    cfg.defrost()
    cfg.SOLVER.MAX_EPOCHS = 0
    with pytest.raises(ConfigError, match=r"^SOLVER.MAX_EPOCHS: expected .*; got 0$"):
        pipeline.Pipeline(cfg)


# --- pausing ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("signal_hook")
@pytest.mark.slow
def test_a_signal_within_a_stage_pauses_and_the_run_goes_on(write_config, tmp_path):
    before = handlers()
    hooks = {"signal": {"type": "SignalHook", "event": "after_train_iter", "at": 1}}
    with pytest.raises(Paused, match="stopped in stage train; go on with the same command and --resume") as caught:
        pipeline.Pipeline(load_config(write_config(SOLVER=SHORT, HOOKS=hooks))).train()
    assert caught.value.exit_code == 75 and handlers() == before
    assert (tmp_path / "run/last.pth").exists() and not (tmp_path / "run/.lock").exists()
    other = load_config(write_config(SOLVER=SHORT))
    assert pipeline.Pipeline(other).train(go_on=True)["train"] and handlers() == before


@pytest.mark.usefixtures("signal_hook")
@pytest.mark.slow
def test_a_signal_in_a_stages_last_moment_is_not_forgotten(write_config, tmp_path):
    """It came when nothing in the stage could be stopped any more; the next stage does not begin."""
    hooks = {"signal": {"type": "SignalHook", "event": "after_train", "at": 4}}
    path = write_config(SOLVER=SHORT, STAGES={"one": {"HOOKS": hooks}, "two": {}})
    with pytest.raises(Paused, match="stopped before stage two"):
        pipeline.Pipeline(load_config(path)).train()
    assert (tmp_path / "run/one/model_final.pth").exists() and not (tmp_path / "run/two").exists()
    assert list(pipeline.Pipeline(load_config(path)).train(go_on=True)) == ["one", "two"]


@pytest.mark.slow
def test_a_pipeline_works_in_a_thread(write_config):
    found = []
    run = pipeline.Pipeline(load_config(write_config(SOLVER=SHORT)))
    thread = threading.Thread(target=lambda: found.append(run.train()))
    thread.start()
    thread.join()
    assert list(found[0]) == ["train"]


def test_handlers_are_back_after_a_failure(write_config, monkeypatch):
    before = handlers()
    run = pipeline.Pipeline(load_config(write_config(SOLVER=SHORT)))
    monkeypatch.setattr(run, "_train_stage", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.train()
    assert handlers() == before


@pytest.mark.slow
def test_a_signal_before_the_first_stage_pauses_too(write_config, tmp_path, monkeypatch):
    run = pipeline.Pipeline(load_config(write_config(SOLVER=SHORT)))
    with monkeypatch.context() as patch, pytest.raises(Paused, match="stopped before stage train"):
        patch.setattr(pipeline, "keep_freed_memory", lambda: signal.raise_signal(signal.SIGUSR1))
        run.train()
    assert not (tmp_path / "run/last.pth").exists()
    pipeline.Pipeline(load_config(write_config(SOLVER=SHORT))).train(go_on=True)
    assert (tmp_path / "run/model_final.pth").exists()


# --- resuming under another configuration, or elsewhere --------------------------------------------------------------


@pytest.fixture
def paused(write_config, signal_hook):
    """The configuration of a run that was paused after its first step, with changes."""

    def config(*opts, **changes):
        settings = {"SOLVER": SHORT, "LOG": {"PERIOD": 1}, "OPTIMIZERS": {"model": {"type": "Adam", "lr": 1e-3}}}
        return load_config(write_config(**{**settings, **changes}), opts)

    hooks = {"signal": {"type": "SignalHook", "event": "after_train_iter", "at": 1}}
    with pytest.raises(Paused):
        pipeline.Pipeline(config(HOOKS=hooks)).train()
    return config


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        (
            ["OPTIMIZERS.model", "{type: SGD, lr: 0.001}"],
            r"optims\.model does not fit .* state of Adam, and the optimizer is SGD",
        ),
        (
            ["OPTIMIZERS.model.params", "[model.head, model.backbone]"],
            r"optims\.model .* in another order \(model\.head\.\S+ where model\.backbone\.\S+ was\)",
        ),
        (["BACKBONE.width", "8"], r"parts\.model does not fit .*size mismatch for backbone"),
        (["SEED", "3"], "holds a run with another seed"),
    ],
)
def test_what_cannot_go_on_is_said_by_name_before_a_step(paused, tmp_path, opts, message):
    files = [tmp_path / "run" / name for name in ("metrics.jsonl", "last.pth", "config.yml")]
    before = [file.read_bytes() for file in files]
    with pytest.raises(UserError, match=f"(?s){message}"):
        pipeline.Pipeline(paused(*opts)).train(go_on=True)
    assert [file.read_bytes() for file in files] == before


def test_the_runs_configuration_is_read_as_utf_8_in_any_locale(tmp_path, caplog):
    file, before = tmp_path / "config.yml", locale.setlocale(locale.LC_CTYPE)
    file.write_text("DATASETS: {ROOT: Zürich}\n", encoding="utf-8")
    locale.setlocale(locale.LC_CTYPE, "C")
    try:
        pipeline._compare_configs(file, "DATASETS: {ROOT: Zürich}\n", finished=False)
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    assert not caplog.text


@pytest.mark.slow
def test_settings_follow_the_configuration_and_are_said(paused, tmp_path):
    opts = ["OPTIMIZERS.model.weight_decay", "0.25", "OPTIMIZERS.model.lr", "0.002"]
    pipeline.Pipeline(paused(*opts)).train(go_on=True)
    state = torch.load(tmp_path / "run/model_final.pth", weights_only=True)["optims"]["model"]["param_groups"][0]
    assert (state["weight_decay"], state["lr"]) == (0.25, 0.002)
    assert "weight_decay: 0.25" in (tmp_path / "run/config.yml").read_text()
    assert "+  model: {type: Adam, lr: 0.002, weight_decay: 0.25}" in (tmp_path / "run/log.txt").read_text()


@pytest.mark.slow
def test_another_number_of_threads_is_said_and_both_are_kept(paused, tmp_path, monkeypatch):
    before = environment.environment()
    now = {**before, "threads": "63"}
    monkeypatch.setattr(environment, "environment", lambda: now)
    pipeline.Pipeline(paused()).train(go_on=True)
    said = f"last bits may differ: threads: {before['threads']} before, 63 now"
    assert said in (tmp_path / "run/log.txt").read_text()
    parts = json.loads((tmp_path / "run/environment.json").read_text())["parts"]
    assert [part["threads"] for part in parts] == [before["threads"], "63"]


def test_a_flipped_byte_of_the_checkpoint_is_named(paused, tmp_path):
    last = tmp_path / "run/last.pth"
    weight = torch.load(last, weights_only=True)["parts"]["model"]["backbone.bn1.running_mean"].numpy().tobytes()
    content = bytearray(last.read_bytes())
    content[content.index(weight) + 7] ^= 4
    last.write_bytes(content)
    with pytest.raises(WeightsError, match=r"last\.pth is damaged: .*: parts\.model\.backbone\.bn1\.running_mean"):
        pipeline.Pipeline(paused()).train(go_on=True)


def test_what_is_said_after_a_run_is_not_in_its_log(write_config, tmp_path):
    log = logging.getLogger("reidzoo")
    before = list(log.handlers), log.level
    pipeline.Pipeline(load_config(write_config(SOLVER=SHORT))).train()
    assert (list(log.handlers), log.level) == before
    log.warning("said later")
    text = (tmp_path / "run/log.txt").read_text()
    assert "epoch 1/" in text and "said later" not in text


# --- one run, one folder, one owner ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_folder_in_use_is_refused(write_config, tmp_path):
    run = pipeline.Pipeline(load_config(write_config(SOLVER=SHORT)))
    with (
        run_lock(tmp_path / "run"),
        pytest.raises(UserError, match=rf"is in use by another run \(.*process {os.getpid()}\)"),
    ):
        run.train()
    (tmp_path / "run/.lock").write_text("a host, process 1\n")  # of one that was killed: nobody holds it
    run.train()
    assert not (tmp_path / "run/.lock").exists()


KILLED = """
import os, signal, sys, time
from pathlib import Path
from reidzoo.runs.run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    worker = os.fork()
    if worker == 0:
        time.sleep(600)
    print(worker, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_that_outlive_a_killed_run_do_not_hold_its_folder(warm_python, tmp_path):
    worker = int(warm_python.run(["-c", KILLED, tmp_path / "run"]).stdout)
    try:
        with run_lock(tmp_path / "run"):
            os.kill(worker, 0)  # it is still there
    finally:
        os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize("name", ["model_final.pth", "last.pth"])
@pytest.mark.parametrize("go_on", [False, True])
def test_somebody_elses_checkpoints_are_not_taken_for_a_run(write_config, tmp_path, name, go_on):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_bytes(b"x")
    with pytest.raises(UserError, match=r"holds checkpoints and no config\.yml"):
        pipeline.Pipeline(load_config(write_config(SOLVER=SHORT))).train(go_on=go_on)


@pytest.mark.slow
def test_what_killed_saves_have_left_is_removed(write_config, tmp_path):
    path = write_config(SOLVER=SHORT)
    pipeline.Pipeline(load_config(path)).train()
    (tmp_path / "run/model_final.pth").rename(tmp_path / "run/last.pth")
    left = [tmp_path / "run" / name for name in (".last.pth.abc.tmp", ".model_final.pth.x_1.tmp")]
    for file in left:
        file.touch()
    pipeline.Pipeline(load_config(path)).train(go_on=True)
    assert not any(file.exists() for file in left) and (tmp_path / "run/model_final.pth").exists()


@pytest.mark.slow
def test_without_a_checkpoint_hook_the_final_one_is_written_all_the_same(write_config, tmp_path):
    pipeline.Pipeline(load_config(write_config(SOLVER=SHORT, HOOKS={"checkpoint": None}))).train()
    assert (tmp_path / "run/model_final.pth").exists()


class MeasureHook(Hook):
    """Measures something after each epoch, before the evaluation."""

    priority = 35

    def after_train_epoch(self, runner):
        runner.metrics = {**runner.metrics, "mine": {"epochs": np.float64(runner.epoch + 1)}}


@pytest.mark.slow
def test_an_evaluation_taken_again_keeps_what_other_hooks_measured(write_config, tmp_path, monkeypatch):
    monkeypatch.setitem(HOOK.module_dict, "MeasureHook", MeasureHook)
    path = write_config(SOLVER=SHORT, HOOKS={"mine": {"type": "MeasureHook"}})
    wanted = pipeline.Pipeline(load_config(path, ["OUTPUT_DIR", str(tmp_path / "other")])).train()
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(evaluate, "evaluate_targets", lambda *_: 1 / 0)
        pipeline.Pipeline(load_config(path)).train()
    assert pipeline.Pipeline(load_config(path)).train(go_on=True) == wanted
    assert wanted["train"]["mine"] == {"epochs": 2}


@pytest.mark.slow
def test_an_evaluation_that_fails_loses_no_epoch(write_config, tmp_path, monkeypatch):
    path = write_config(SOLVER=SHORT)
    wanted = pipeline.Pipeline(load_config(path, ["OUTPUT_DIR", str(tmp_path / "other")])).train()

    def fail(*_):
        raise DatasetError("the gallery is gone")

    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "evaluate_targets", fail)
        for go_on in (False, True):
            with pytest.raises(DatasetError, match="the gallery is gone"):
                pipeline.Pipeline(load_config(path)).train(go_on=go_on)
            assert (tmp_path / "run/last.pth").exists() and not (tmp_path / "run/model_final.pth").exists()
    lines = (tmp_path / "run/metrics.jsonl").read_text()
    assert pipeline.Pipeline(load_config(path)).train(go_on=True) == wanted
    last = (tmp_path / "run/metrics.jsonl").read_text()
    assert (
        last.startswith(lines) and last == (tmp_path / "other/metrics.jsonl").read_text()
    )  # nothing was trained again
