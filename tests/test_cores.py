from __future__ import annotations

import os

import pytest

from reidzoo.cores import available_cores


@pytest.mark.parametrize(("known", "expected"), [(6, 6), (None, 1)])
def test_a_system_that_does_not_limit_a_process_is_asked_for_all_its_cores(monkeypatch, known, expected):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: known)
    assert available_cores() == expected


def test_a_process_that_is_limited_has_as_many_as_it_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 7}, raising=False)
    assert available_cores() == 3
