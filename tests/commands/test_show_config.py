from __future__ import annotations

from reidzoo.config import load_config


def test_it_prints_a_configuration_that_loads_as_the_same(write, run_tool):
    path = write("a.yml", "SEED: 1\nSTAGES: {a: {SEED: 2}}")
    overlay = write("mini.yml", "LOG: {PERIOD: 3}")
    done = run_tool("show_config.py", "--config-file", path, "--overlay", overlay, "TEST.FLIP", "true")
    assert (done.returncode, done.stderr) == (0, "")
    assert load_config(write("b.yml", done.stdout)) == load_config(path, ["TEST.FLIP", "true"], [overlay])


def test_it_prints_one_stage(write, run_tool):
    path = write("a.yml", "STAGES: {a: {SEED: 2}}")
    done = run_tool("show_config.py", "--config-file", path, "--stage", "a")
    assert "SEED: 2\n" in done.stdout
    assert "STAGES" not in done.stdout
    done = run_tool("show_config.py", "--config-file", path, "--stage", "b")
    assert (done.returncode, done.stderr) == (2, f"error: {path}: no stage b; stages: a\n")


def test_a_mistake_is_one_message_and_exit_code_2(write, run_tool, tmp_path):
    write("a.yml", "SOLVER: {MAXX: 1}")
    done = run_tool("show_config.py", "--config-file", "a.yml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: a.yml:1: unknown key SOLVER.MAXX; did you mean SOLVER.MAX_EPOCHS?\n"
