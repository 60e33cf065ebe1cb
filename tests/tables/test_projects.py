"""Every table file of a project is read, and every row of it resolves, at full size and with --mini."""

from __future__ import annotations

from pathlib import Path

import pytest

from reidzoo.tables import is_table, make_plan, read_table

REPOSITORY = Path(__file__).parents[2]
FILES = sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("projects/*/*.yml") if is_table(path))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.slow
def test_every_row_resolves(file, tmp_path):
    table = read_table(REPOSITORY / file)
    full = make_plan(table, tmp_path, [0])
    assert full.units
    if table.overlays:
        assert not set(full.units) & set(make_plan(table, tmp_path, [0], mini=True).units)


@pytest.mark.parametrize("file", FILES)
def test_rows_have_labels_and_figures_of_their_own(file):
    table = read_table(REPOSITORY / file)
    labels = [row.label for row in table.rows.values()]
    assert len(set(labels)) == len(labels)
    is_the_papers = Path(file).stem.startswith(tuple(f"table{number}" for number in range(10)))
    assert any(row.paper for row in table.rows.values()) or not is_the_papers
