"""Files that are written whole or not at all."""

from __future__ import annotations

import os

import pytest

from reidzoo.files import move_into_place, write_folder, write_whole


def test_the_file_is_what_it_was_until_the_block_ends(tmp_path):
    path = tmp_path / "new" / "a"
    for content in (b"one", b"two"):
        before = path.read_bytes() if path.exists() else None
        with write_whole(path) as file:
            file.write(content)
            assert (path.read_bytes() if path.exists() else None) == before
        assert path.read_bytes() == content
    assert [entry.name for entry in path.parent.iterdir()] == ["a"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "a").write_bytes(b"one")
    with pytest.raises(error), write_whole(tmp_path / "a") as file:
        file.write(b"tw")
        raise error
    assert (tmp_path / "a").read_bytes() == b"one" and len(list(tmp_path.iterdir())) == 1


def test_a_place_that_takes_no_file_is_named_as_it_was_given(tmp_path):
    place = tmp_path / ("a" * 300)
    with pytest.raises(OSError) as caught, write_whole(place):
        pass
    assert caught.value.filename == str(place)


def test_it_has_ordinary_rights(tmp_path):
    with write_whole(tmp_path / "a"):
        pass
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("sync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *names: (order.append("rename"), replace(*names)))
    with write_whole(tmp_path / "a") as file:
        file.write(b"one")
    assert order == ["sync", "rename", "sync"]  # the file, its name, the folder
    move_into_place(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"one"


def test_a_folder_is_there_when_it_is_complete(tmp_path):
    with write_folder(tmp_path / "new" / "a") as work:
        (work / "one").touch()
        assert not (tmp_path / "new" / "a").exists()
    assert [entry.name for entry in (tmp_path / "new").rglob("*")] == ["a", "one"]


def test_a_failure_leaves_no_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt), write_folder(tmp_path / "a") as work:
        (work / "one").touch()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
