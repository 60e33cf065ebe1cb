from __future__ import annotations


def test_an_unfinished_run_is_refused(run_tool, tmp_path):
    arguments = ["--run", tmp_path, "--into", tmp_path / "results.yml", "--name", "x"]
    run = run_tool("record_results.py", *arguments)
    assert run.returncode == 2 and "is not the folder of a run" in run.stderr
    (tmp_path / "environment.json").write_text("{}")
    (tmp_path / "config.yml").write_text("SEED: 0\nSTAGES: {one: {}}\n")
    run = run_tool("record_results.py", *arguments)
    assert run.returncode == 2 and "one" in run.stderr
