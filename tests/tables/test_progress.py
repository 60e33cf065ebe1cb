from __future__ import annotations

import io
import time

import pytest

from reidzoo.tables.progress import Progress, show_time


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59.6, "1m00s"), (190, "3m10s"), (7500, "2h05m")])
def test_times(seconds, text):
    assert show_time(seconds) == text


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines_in_a_pipe(plan):
    units = list(plan(seeds=(0,)).units.values())
    said = io.StringIO()
    progress = Progress(said)
    progress.begin(units, jobs=2)
    progress.started(units[0])
    progress.show([(units[0], time.monotonic())])
    progress.finished(units[0], 100.0)
    progress.broke(units[1], "why")
    progress.end()
    assert said.getvalue().splitlines() == [
        f"[0/4]  {units[0].name} runs",
        f"[1/4]  {units[0].name} done in 1m40s; about 2m30s left",  # three more like it, two at a time
        f"[2/4]  {units[1].name} FAILED: why",
    ]


def test_times_of_done_units_tell_about_the_others(plan):
    units = list(plan().units.values())
    done = units[0]
    done.note(60.0, [])
    (done.folder / "results.json").write_text("{}")
    (done.folder / "model_final.pth").write_text("")
    screen = Terminal()
    progress = Progress(screen)
    progress.begin(units, jobs=1)
    progress.show([(units[1], time.monotonic() - 30)])
    assert f"[1/8]  {units[1].name} 30s; about 6m30s left" in screen.getvalue()
    progress.show([])
    assert screen.getvalue().count("[1/8]") == 1  # twice a second at most


def finish(unit, seconds):
    unit.folder.mkdir(parents=True, exist_ok=True)
    (unit.folder / "results.json").write_text("{}")
    (unit.folder / "model_final.pth").write_text("")
    if seconds:
        unit.note(seconds, [])


def test_each_stage_is_expected_to_take_as_long_as_it_did(plan):
    units = list(plan().units.values())  # first, second, second, third; and once more
    finish(units[0], 60.0)
    finish(units[1], 600.0)
    finish(units[2], 0.0)  # of another machine, which said no time
    screen = Terminal()
    progress = Progress(screen)
    progress.begin(units, jobs=1)
    progress.show([])
    wanted = 60 + 2 * 600 + 2 * 330  # a first, two of the second, two of the third, which never ran
    assert f"[3/8]  ; about {show_time(wanted)} left" in screen.getvalue()
