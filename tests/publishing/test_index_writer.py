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


def test_an_entry_that_ends_without_a_line_break_is_replaced_whole(index):
    add(index)
    index.write_text(index.read_text().rstrip("\n"))
    add(index, commit="abcdefghij")
    assert read_index(index)[1]["b_mini"].version == "0.1.0, commit abcdefg"
    index.write_text(index.read_text().rstrip("\n"))
    add(index, name="c_mini")
    assert list(read_index(index)[1]) == ["b_mini", "c_mini"]


@pytest.mark.parametrize("name", ["2024", "1e5", "0x1f", "no", "null", "b"])
def test_any_name_of_a_model_is_read_as_it_is_and_replaced(index, name):
    for size in (12, 99):
        add(index)  # whose name begins with the last of these
        add(index, name=name, size=size)
    entries = read_index(index)[1]
    assert {key: entry.size for key, entry in entries.items()} == {"b_mini": 12, name: 99}


def test_what_stands_within_an_entry_goes_with_it(index):
    add(index)
    add(index, name="c_mini")
    index.write_text(index.read_text().replace("  size: 12\n", "\n  # bytes\n\n  size: 12\n", 1))
    add(index, size=99, source=r"measured \1 \g<0> here")
    assert "# bytes" not in index.read_text()
    entries = read_index(index)[1]
    assert entries["b_mini"].size == 99 and entries["b_mini"].source == r"measured \1 \g<0> here"
    assert entries["c_mini"].size == 12


@pytest.mark.parametrize("before", ["", "{}\n", "# nothing yet\n"])
def test_into_an_index_without_entries(index, before):
    index.write_text(before)
    add(index)
    assert list(read_index(index)[1]) == ["b_mini"]
