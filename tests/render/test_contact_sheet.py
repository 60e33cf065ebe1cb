from __future__ import annotations

import numpy as np
import pytest

from reidzoo.render import contact_sheet
from reidzoo.render.layouts import LAYOUTS


@pytest.mark.parametrize("name", LAYOUTS)
def test_sheet_has_a_row_per_identity(name: str) -> None:
    one, two = (np.asarray(contact_sheet(name, people=people, columns=3)) for people in (1, 2))
    assert two.shape[0] - one.shape[0] > 100
    assert one.std() > 20
