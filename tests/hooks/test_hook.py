"""How hooks are ordered, and mistakes in them that would pass in silence."""

from __future__ import annotations

import pytest

from reidzoo.errors import ConfigError
from reidzoo.hooks.hook import EVENTS, Hook, build_hooks
from reidzoo.registry import HOOK


def hook_class(monkeypatch, name="Mine", **members):
    monkeypatch.setitem(HOOK.module_dict, name, type(name, (), members))


def test_the_events():
    assert EVENTS == (
        "before_train", "after_train", "before_train_epoch", "after_train_epoch", "before_train_iter",
        "after_train_iter", "save_point", "rehearse",
    )  # fmt: skip
    assert set(EVENTS) == {name for name in vars(Hook) if callable(vars(Hook)[name])}


def test_hooks_are_called_by_priority_then_as_they_are_listed(monkeypatch):
    for name, members in {"A": {"priority": 70}, "B": {}, "C": {"priority": "VERY_LOW"}, "D": {"priority": 50}}.items():
        hook_class(monkeypatch, name, **members)
    assert list(build_hooks({name: {"type": name} for name in "ABCD"})) == ["B", "D", "A", "C"]


@pytest.mark.parametrize("priority", ["SOON", None, 1.5, True])
def test_a_priority_that_does_not_exist(monkeypatch, priority):
    hook_class(monkeypatch, priority=priority)
    with pytest.raises(ConfigError, match=f"HOOKS: Mine has the priority {priority!r}.*VERY_LOW"):
        build_hooks({"mine": {"type": "Mine"}})


@pytest.mark.parametrize(
    ("method", "meant"),
    [
        ("after_train_step", "after_train_iter"),
        ("before_trian", "before_train"),
        ("save_points", "save_point"),
        ("after_epoch", "after_train_epoch"),
        ("before_iter", "before_train_iter"),
        ("before_training", "before_train"),
    ],
)
def test_an_event_that_is_misspelt(monkeypatch, method, meant):
    hook_class(monkeypatch, **{method: lambda self, runner: None})
    with pytest.raises(ConfigError, match=rf"HOOKS.mine: Mine.{method} is never called; {meant} is"):
        build_hooks({"mine": {"type": "Mine"}})


@pytest.mark.parametrize(
    ("event", "method", "said"),
    [
        ("before_train", lambda self: None, r"before_train\(\) is called as before_train\(runner\)"),
        (
            "after_train_iter",
            lambda self, runner, batch, outputs: None,
            r"after_train_iter\(runner, batch, outputs\) is called as "
            r"after_train_iter\(runner, batch_idx=\.\.\., data_batch=\.\.\., outputs=\.\.\.\), which it does not ",
        ),
    ],
)
def test_an_event_that_takes_other_arguments(monkeypatch, event, method, said):
    hook_class(monkeypatch, **{event: method})
    with pytest.raises(ConfigError, match=f"HOOKS.mine: Mine.{said}"):
        build_hooks({"mine": {"type": "Mine"}})


def test_an_event_that_does_not_exist(monkeypatch):
    hook_class(monkeypatch, after_clustering=lambda self, runner: None)
    with pytest.raises(ConfigError, match=r"Mine.after_clustering is never called\. The events are before_train, "):
        build_hooks({"mine": {"type": "Mine"}})


def test_what_is_no_event_may_have_any_name(monkeypatch):
    names = ("after_val_epoch", "before_save_checkpoint", "trained", "reset", "_before_trian")
    hook_class(monkeypatch, before_trains=3, **dict.fromkeys(names, lambda self: None))
    assert list(build_hooks({"mine": {"type": "Mine"}})) == ["mine"]
