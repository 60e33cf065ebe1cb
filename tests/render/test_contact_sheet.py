from __future__ import annotations

import numpy as np
import pytest

from reidzoo.render import TWINS, contact_sheet, overview, vehicle_overview
from reidzoo.render.people.layouts import LAYOUTS


@pytest.mark.parametrize("name", TWINS)
def test_sheet_has_a_row_per_identity(name: str) -> None:
    one, two = (np.asarray(contact_sheet(name, people=people, columns=3)) for people in (1, 2))
    assert two.shape[0] - one.shape[0] > 100
    assert one.std() > 20


@pytest.mark.slow
def test_vehicle_overview_shows_both_twins() -> None:
    top, bottom = np.array_split(np.asarray(vehicle_overview(vehicles=2, columns=2)), 2)
    assert top.std() > 20 and bottom.std() > 20


@pytest.mark.slow
def test_overview_shows_every_twin() -> None:
    sheet = np.asarray(overview(columns=2))
    rows = np.array_split(sheet, len(LAYOUTS))
    assert all(row.std() > 20 for row in rows)
