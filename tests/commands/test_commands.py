"""The command line as a whole: one name for one thing, help with an example, mistakes that exit with 2."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from reidzoo.commands import COMMANDS, main
from reidzoo.version import __version__


def test_the_overview_names_every_command(capsys):
    main([])
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in COMMANDS)
    main(["--version"])
    assert capsys.readouterr().out == f"reidzoo {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    printed = capsys.readouterr().out
    assert (
        end.value.code == 0
        and printed.startswith(f"usage: reidzoo {name} ")
        and f"reidzoo {name}" in printed.split("example:")[1]
    )


def test_an_unknown_command_exits_with_2(capsys):
    with pytest.raises(SystemExit) as end:
        main(["tran"])
    assert end.value.code == 2 and "Did you mean train?" in capsys.readouterr().err


def test_a_users_mistake_exits_with_2_and_one_line(capsys):
    with pytest.raises(SystemExit) as end:
        main(["train", "--config-file", "nowhere.yml"])
    assert end.value.code == 2 and capsys.readouterr().err == "error: nowhere.yml: no such file\n"


def test_one_word_for_one_thing():
    options = {name: words(name) for name in COMMANDS}
    assert options["show-config"] == options["train"] == options["check"] - {"--deep", "--html"}
    for name in ("train", "test", "extract", "export", "calibrate", "report"):
        assert {"--weights", "--output-dir"} <= options[name]
    for name in ("compare", "search", "draw", "gallery", "serve"):
        assert "--weights" in options[name]
    for name in ("train", "test", "table", "extract", "render"):
        assert "--data-root" in options[name]


def words(name: str) -> set[str]:
    import argparse

    parser = argparse.ArgumentParser()
    importlib.import_module(f"reidzoo.commands.{name.replace('-', '_')}").add_arguments(parser)
    return {word for action in parser._actions for word in action.option_strings}


@pytest.mark.parametrize(
    "name", ["train", "check", "test", "table", "extract", "cluster", "render", "show-config", "models", "export"]
)
def test_help_answers_before_anything_heavy_is_imported(name):
    code = f"import sys; from reidzoo.commands import main\ntry: main([{name!r}, '--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch', 'torchvision', 'numpy', 'mmengine', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_options_are_short_for_overrides(capsys, write_config, tmp_path):
    main(["show-config", "--config-file", str(write_config()), "--seed", "7", "SOLVER.MAX_EPOCHS", "9", "--weights",
          "domainmix_mini", "--data-root", str(tmp_path), "--output-dir", "here"])  # fmt: skip
    printed = capsys.readouterr().out
    assert "SEED: 7\n" in printed and "OUTPUT_DIR: here\n" in printed and f"ROOT: {tmp_path}" in printed
    assert "WEIGHTS: domainmix_mini" in printed and "MAX_EPOCHS: 9" in printed


def test_a_key_without_a_value_is_named_though_options_stand_behind_it(capsys, write_config):
    with pytest.raises(SystemExit) as caught:
        main(["show-config", "--config-file", str(write_config()), "--output-dir", "here", "SEED"])
    assert caught.value.code == 2 and "override SEED: no value" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", "a.jpg", "b.jpg"], "name a model: "),
        (["compare", "one", "a.jpg", "b.jpg", "--weights", "two"], "MODEL one and --weights two: name one of them"),
        (["report", "--weights", "nowhere", "SEED", "1"], "nowhere"),
        (["search", "--weights", "nowhere", "a.jpg", "."], "a.jpg does not exist"),
    ],
)
def test_a_model_is_named_once_by_its_place_or_as_weights(words, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2 and message in capsys.readouterr().err
