"""What a person can mend is a message, and no traceback."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest
import torch

from reidzoo.errors import ConfigError, Paused
from reidzoo.files import atomic_save, write_text
from reidzoo.runs.cli import run_tool


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("no such key"), 2, "error: no such key\n"),
        (Paused("go on"), 75, "error: go on\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "x/last.pth"),
            2,
            "error: x/last.pth: No space left on device. M",
        ),
        (OSError(errno.EROFS, "Read-only file system"), 2, "error: Read-only file system. Choose a place"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "error: x: Permission denied. Choose a place"),
    ],
)
def test_what_is_said(error, code, message, capsys):
    with pytest.raises(SystemExit) as caught:
        run_tool(raising(error))
    assert caught.value.code == code and capsys.readouterr().err.startswith(message)


def test_a_reader_that_has_seen_enough_is_no_error():
    """As in ``reidzoo search ... | head``."""
    code = "from reidzoo.runs.cli import run_tool; run_tool(lambda: [print('x' * 999) for _ in range(999)])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 141


@pytest.mark.parametrize("words", [[], ["train", "--help"], ["models"]])
def test_a_reader_of_little_that_has_gone_is_no_error(words):
    """What fits into the buffer is written when the program ends."""
    code = f"import time; time.sleep(0.2); from reidzoo.commands import main; main({words!r})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() in (141, 0)  # argparse looks away, and ends with 0


@pytest.mark.parametrize("error", [OSError(errno.EBADF, "Bad file descriptor"), ValueError("a bug")])
def test_a_bug_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        run_tool(raising(error))


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "last.pth"
    atomic_save({"a": torch.ones(3)}, path)
    before = path.read_bytes()

    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    save = torch.save
    monkeypatch.setattr(torch, "save", lambda content, file: save(content, Full()))
    with pytest.raises(OSError, match=r"No space left on device: .*last\.pth'"):
        atomic_save({"a": torch.ones(3)}, path)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["last.pth"]
    with pytest.raises(FileExistsError, match=r"last\.pth'$"):
        write_text(path / "x", "a file is no folder")
