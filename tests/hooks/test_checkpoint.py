from __future__ import annotations

import pytest

from reidzoo.config import load_config
from reidzoo.hooks import checkpoint
from reidzoo.runs.pipeline import Pipeline


@pytest.mark.parametrize(
    ("solver", "saved"),
    [
        ({"CHECKPOINT_SECONDS": 0}, [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]),
        ({"CHECKPOINT_SECONDS": 0, "CHECKPOINT_PERIOD": 2}, [(2, 0), (4, 0), (5, 0)]),
        ({"CHECKPOINT_SECONDS": 25}, [(3, 0), (5, 0)]),  # an epoch takes 10 seconds
        ({}, [(5, 0)]),
        ({"CHECKPOINT_ITERS": 3}, [(1, 1), (2, 2), (4, 1), (5, 0)]),  # steps that are asked for are saved at any time
    ],
)
def test_epochs_are_saved_at_least_so_many_seconds_apart_and_the_last_always(
    write_config, tmp_path, monkeypatch, solver, saved
):
    now, found, save = {"seconds": 0.0}, [], checkpoint.save

    def note(runner, path):
        found.append((runner.epoch, runner.step, path.name))
        save(runner, path)

    class Clock:
        @staticmethod
        def monotonic():
            return now["seconds"]

    monkeypatch.setattr(checkpoint, "save", note)
    monkeypatch.setattr(checkpoint, "time", Clock)
    after = checkpoint.CheckpointHook.save_point

    def tick(self, runner):
        if runner.step == 0:
            now["seconds"] += 10
        after(self, runner)

    monkeypatch.setattr(checkpoint.CheckpointHook, "save_point", tick)
    base = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 5}
    Pipeline(load_config(write_config(SOLVER={**base, **solver}))).train()
    assert [place[:2] for place in found if place[2] == "last.pth"] == saved
    assert found[-1] == (5, 0, "model_final.pth")
    assert (tmp_path / "run/model_final.pth").exists() and not (tmp_path / "run/last.pth").exists()
