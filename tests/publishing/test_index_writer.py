from __future__ import annotations

import pytest

from reidzoo.publishing.index_writer import write_entry
from reidzoo.zoo.index import read_index

SIDECAR = {
    "name": "b_mini", "config": "projects/B/mini.yml", "sha256": "0" * 64, "size": 12, "licence": "Apache-2.0",
    "kept_metrics": {"Market1501 twin": {"mAP": 0.25}}, "data": "RandPerson twin", "source": "measured here",
    "versions": {"reidzoo": "0.1.0"}, "commit": "0123456789",
}  # fmt: skip


def add(index, **changes):
    write_entry(index, index.parents[2] / "zoo", {**SIDECAR, **changes})


@pytest.fixture
def index(tmp_path):
    path = tmp_path / "reidzoo" / "zoo" / "index.yml"
    path.parent.mkdir(parents=True)
    return path


def test_the_entry_is_what_the_index_reads(index):
    add(index)
    entry = read_index(index)[1]["b_mini"]
    assert entry.addresses == ("file:../../zoo/b_mini.safetensors",)
    assert (entry.size, entry.convert, entry.version) == (12, None, "0.1.0, commit 0123456")
    assert entry.metrics == {"Market1501 twin": {"mAP": 0.25}}


def test_a_second_time_replaces_it_and_leaves_the_rest(index):
    index.write_text("# ours\n")
    for name in ("a_mini", "b_mini", "c_mini"):
        add(index, name=name)
    index.write_text(index.read_text().replace("c_mini:", "# the last\nc_mini:", 1))
    add(index, size=99)
    text, entries = index.read_text(), read_index(index)[1]
    assert list(entries) == ["a_mini", "b_mini", "c_mini"]
    assert [entry.size for entry in entries.values()] == [12, 99, 12]
    assert text.startswith("# ours\n") and "\n# the last\nc_mini:" in text


@pytest.mark.parametrize("before", ["", "{}\n", "# nothing yet\n"])
def test_into_an_index_without_entries(index, before):
    index.write_text(before)
    add(index)
    assert list(read_index(index)[1]) == ["b_mini"]
