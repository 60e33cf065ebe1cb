from __future__ import annotations

import shlex

import pytest

FIGURES = {
    "title": "thing, 3 x 4", "ours": {"seconds": 0.5, "cpu": 0.9, "gigabytes": 0.25}, "load": 0.1,
    "reference": {"seconds": 5.0, "cpu": 9.0, "gigabytes": 1.0}, "ratio": 10.0, "memory_ratio": 4.0,
    "agree": True, "difference": "labels that differ: 0", "notes": ["two notes", "of it"],
}  # fmt: skip


def alone(figures):
    return {key: value for key, value in figures.items() if key in ("title", "ours", "load")}


def test_the_page_has_a_row_for_each(load):
    results = [("Market", "thing.py --a 3", FIGURES), ("", "thing.py", alone(FIGURES))]
    text = load("run_all").page(results, small=False)
    assert "| thing, 3 x 4 (Market) | 0.5 s | 0.250 GB | 5 s | 1.000 GB | 10 x |  | 4 x | agree | 0.1 |" in text
    assert "| thing, 3 x 4 | 0.5 s | 0.250 GB |  |  |  |  |  |  | 0.1 |" in text
    assert "- `python benchmarks/thing.py --a 3`: two notes; of it; labels that differ: 0" in text
    assert "- `python benchmarks/thing.py`\n" in text
    assert "Small sizes" not in text and "- CPU: " in text and "- date: 20" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(widths) == 1


@pytest.mark.parametrize(
    "command, ratio, expected",
    [
        ("loader.py --batches 40 --workers 2", 1.48, "2.5 x, MISSED"),
        ("loader.py --workers 2 --cache on", 7, "6 x, reached"),
        ("training.py --rounds 12", 0.98, "0.97 x, reached"),
        ("extraction.py --cache off", 0.4, ""),
        ("kmeans.py", 1, ""),
    ],
)
def test_a_goal_is_said_to_be_reached_or_missed(load, command, ratio, expected):
    assert load("run_all").goal(command, ratio) == expected


@pytest.mark.slow
def test_writes_the_table_of_what_it_ran(load, tmp_path, monkeypatch, capfd):
    script = load("run_all")
    monkeypatch.setattr(script, "SMALL", [("tiny", "rerank.py --queries 10 --gallery 30 --dim 4")])
    assert script.main(["--small", "--output", str(tmp_path / "out.md")]) == 0
    text = (tmp_path / "out.md").read_text()
    assert "re-ranking, 10 x 30 x 4" in text and "(tiny)" in text and "Small sizes" in text and "agree" in text
    assert "ratio" in capfd.readouterr().out


@pytest.mark.slow
def test_make_bench_small(load, tmp_path, monkeypatch, capfd):
    """Every benchmark at its small size, as ``make bench SMALL=1`` runs it: all find the answers equal."""
    script, found = load("run_all"), {}
    run = script.run
    monkeypatch.setattr(script, "run", lambda command: found.setdefault(command, run(command)))
    assert script.main(["--small", "--output", str(tmp_path / "out.md")]) == 0
    assert {command.split()[0] for command in found} == {command.split()[0] for _, command in script.CASES}
    assert "DIFFER" not in (tmp_path / "out.md").read_text()
    compared = sum("reference" in figures for figures in found.values())
    assert capfd.readouterr().out.count("\nratio ") == compared > 10
    answers = ("largest difference", "labels that differ: 0", "beside scikit-learn's", "losses differ", "is complete")
    answers += ("recall of the exact",)
    for figures in found.values():
        assert figures["ours"].keys() == {"seconds", "cpu", "gigabytes"}
        if "reference" in figures:
            assert figures["agree"] is True and figures["ratio"] > 0 and figures["memory_ratio"] >= 0
            assert figures["reference"].keys() == figures["ours"].keys()
            assert any(words in str(figures) for words in answers)


def test_answers_that_differ_are_in_the_table_and_the_exit_code(load, tmp_path, monkeypatch):
    script = load("run_all")
    monkeypatch.setattr(script, "run", lambda command: {**FIGURES, "agree": False})
    assert script.main(["--output", str(tmp_path / "out.md")]) == 1
    assert "DIFFER" in (tmp_path / "out.md").read_text()


@pytest.mark.slow
def test_a_script_that_fails_ends_it(load):
    with pytest.raises(SystemExit, match="no table is written"):
        load("run_all").run("ranking.py --queries none")


def test_every_case_names_a_script_and_options_it_has(load, monkeypatch):
    script = load("run_all")
    for _, command in script.CASES + script.SMALL:
        name, *arguments = shlex.split(command)
        parsed = []
        module = load(name.removesuffix(".py"))
        real = module.parser

        def parser(description, real=real, parsed=parsed):
            options = real(description)
            check = options.parse_args

            def parse_args(argv):
                parsed.append(check(argv))
                raise KeyboardInterrupt

            options.parse_args = parse_args
            return options

        monkeypatch.setattr(module, "parser", parser)
        with pytest.raises(KeyboardInterrupt):
            module.main(arguments)
        assert parsed


def test_some_anew_leave_the_other_rows(load, tmp_path, monkeypatch):
    script, page = load("run_all"), tmp_path / "out.md"
    cases = [("", "loader.py --workers 0"), ("", "kmeans.py"), ("", "loader.py --workers 2")]
    seconds = {
        "loader.py --workers 0": 1.0,
        "loader.py --workers 1": 2.0,
        "loader.py --workers 2": 3.0,
        "kmeans.py": 4.0,
    }

    def run(command, factor=1):
        ours = {**FIGURES["ours"], "seconds": factor * seconds[command]}
        return {**FIGURES, "title": command.removesuffix(".py"), "ours": ours}

    monkeypatch.setattr(script, "CASES", cases)
    monkeypatch.setattr(script, "run", run)
    assert script.main(["--output", str(page)]) == 0
    old = page.read_text().splitlines()
    monkeypatch.setattr(script, "CASES", [cases[0], ("", "loader.py --workers 1"), *cases[1:]])
    monkeypatch.setattr(script, "run", lambda command: run(command, 10))
    assert script.main(["--only", "loader.py", "--output", str(page)]) == 0
    new = page.read_text().splitlines()
    rows = [
        [cell.strip() for cell in line.split("|")[1:3]]
        for line in new
        if line.startswith("| loader") or line.startswith("| kmeans")
    ]
    assert rows == [
        ["loader.py --workers 0", "10 s"],
        ["loader.py --workers 1", "20 s"],
        ["kmeans", "4 s"],
        ["loader.py --workers 2", "30 s"],
    ]
    assert len(new) == len(old) + 3  # the line of dates, a row and its details
    assert script.main(["--only", "loader.py", "--output", str(page)]) == 0 and page.read_text().splitlines() == new
