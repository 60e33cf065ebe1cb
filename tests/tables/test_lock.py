from __future__ import annotations

import subprocess
import sys

import pytest

from reidzoo.errors import UserError
from reidzoo.tables.lock import locked

pytest.importorskip("fcntl")


def test_a_folder_is_held_once(tmp_path):
    with locked(tmp_path / "out"), pytest.raises(UserError, match="in use"), locked(tmp_path / "out"):
        pass
    with locked(tmp_path / "out"):
        pass


def test_a_process_that_inherits_it_holds_it(tmp_path):
    with locked(tmp_path) as inherited:
        process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE, pass_fds=inherited)
    with pytest.raises(UserError), locked(tmp_path):
        pass
    process.communicate(b"\n")
    with locked(tmp_path):
        pass
