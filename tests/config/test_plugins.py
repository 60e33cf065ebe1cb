from __future__ import annotations

import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from reidzoo.config import dump, load_config
from reidzoo.errors import ConfigError

DECLARES = """
    from yacs.config import CfgNode

    def add_config(cfg):
        cfg.MINE = CfgNode({"START": 5, "RATE": 0.5})
        cfg.TEACHERS = CfgNode(new_allowed=True)
"""


def error(path, *opts):
    with pytest.raises(ConfigError) as caught:
        load_config(path, opts)
    return str(caught.value)


def test_a_package_beside_the_yaml_declares_keys(write):
    write("p/zplug/__init__.py", DECLARES)
    path = write("p/a.yml", "PLUGINS: [zplug]\nMINE: {RATE: 1}\nTEACHERS: {ema: {x: {y: 1}}}")
    cfg = load_config(path)
    assert cfg.MINE == {"START": 5, "RATE": 1.0}
    assert cfg.TEACHERS.ema.x.y == 1
    assert error(write("p/b.yml", "PLUGINS: [zplug]\nMINE:\n  STAR: 1")).endswith(
        "b.yml:3: unknown key MINE.STAR; did you mean MINE.START?"
    )
    assert "unknown key MINE" in error(write("p/c.yml", "MINE: {START: 1}"))


@pytest.mark.parametrize("entry", ["../q/zplug", "../q/zplug.py", "{folder}/q/zplug"])
def test_a_path_relative_to_the_yaml_or_absolute(write, tmp_path, entry):
    write("q/zplug.py", "NAME = 'q'")
    entry = entry.format(folder=tmp_path)
    cfg = load_config(write("p/a.yml", f"PLUGINS: [{entry}]"))
    assert sys.modules["zplug"].NAME == "q"
    assert list(cfg.PLUGINS) == [str(tmp_path / "q" / "zplug")]


def test_a_plugin_imports_its_own_modules_in_both_ways(write):
    write("zplug/__init__.py", "from .losses import MyLoss\nfrom zplug.losses import MyLoss as Same\n")
    write("zplug/losses.py", "class MyLoss: pass\n")
    load_config(write("a.yml", "PLUGINS: [./zplug]"))
    plugin = sys.modules["zplug"]
    assert plugin.MyLoss is plugin.Same
    assert isinstance(pickle.loads(pickle.dumps(plugin.MyLoss())), plugin.MyLoss)


def test_a_module_in_a_package(write, tmp_path):
    write("zplug/__init__.py")
    write("zplug/losses.py", "X = 1")
    cfg = load_config(write("a.yml", "PLUGINS: [zplug.losses]"))
    assert sys.modules["zplug.losses"].X == 1
    assert list(cfg.PLUGINS) == [str(tmp_path / "zplug.losses")]
    assert load_config(write("b/b.yml", dump(cfg))).PLUGINS == cfg.PLUGINS


def test_beside_the_yaml_wins_over_installed(write, tmp_path, monkeypatch):
    write("site/zplug.py", "WHERE = 'installed'")
    monkeypatch.syspath_prepend(tmp_path / "site")
    write("p/zplug.py", "WHERE = 'beside'")
    load_config(write("p/a.yml", "PLUGINS: [zplug]"))
    assert sys.modules["zplug"].WHERE == "beside"


def test_an_installed_package_keeps_its_name(write, tmp_path, monkeypatch):
    write("site/zinstalled.py", DECLARES)
    monkeypatch.syspath_prepend(tmp_path / "site")
    cfg = load_config(write("a.yml", "PLUGINS: [zinstalled]\nMINE: {START: 1}"))
    assert list(cfg.PLUGINS) == ["zinstalled"]
    assert cfg.MINE.START == 1
    del sys.modules["zinstalled"]


def test_plugins_of_bases_overlays_and_overrides_add_up(write, tmp_path):
    for name in ("zone", "ztwo", "zthree", "zfour"):
        write(f"{name}/{name}.py")
    write("zone/base.yml", "PLUGINS: [zone]")
    write("zthree/over.yml", "PLUGINS: [zthree]")
    path = write("ztwo/a.yml", "_BASE_: ../zone/base.yml\nPLUGINS: [ztwo, ../zone/zone]")
    cfg = load_config(path, ["PLUGINS", "[zfour/zfour]"], overlays=["zthree/over.yml"])
    assert list(cfg.PLUGINS) == [str(tmp_path / name / name) for name in ("zone", "ztwo", "zthree", "zfour")]


def test_a_second_load_uses_the_module_that_is_there(write):
    write("zplug.py", "COUNT = []\ndef add_config(cfg): COUNT.append(1)")
    path = write("a.yml", "PLUGINS: [zplug]")
    load_config(path)
    load_config(path)
    assert sys.modules["zplug"].COUNT == [1, 1]


def test_two_plugins_of_one_name(write, tmp_path):
    one, two = write("p/zplug/__init__.py"), write("q/zplug/__init__.py")
    assert error(write("a.yml", "PLUGINS:\n- p/zplug\n- q/zplug")) == (
        f"a.yml:3: the plug-in {two} has the name of another module, {one}: "
        "one process cannot hold two modules called 'zplug'; rename the plug-in"
    )


def test_a_plugin_named_as_a_module_of_others(write):
    write("yaml/__init__.py")
    assert "has the name of another module" in error(write("a.yml", "PLUGINS: [yaml]"))
    source = write("xmlrpc.py")
    assert error(write("b.yml", "PLUGINS: [xmlrpc]")).startswith(
        f"b.yml:1: the plug-in {source} has the name of another module, xmlrpc: "
    )


def test_a_name_does_not_find_another_yamls_plugin(write, tmp_path):
    source = write("p/zplug.py")
    load_config(write("p/a.yml", "PLUGINS: [zplug]"))
    write("q/b.yml", "PLUGINS: [zplug]")
    assert error("q/b.yml") == (
        f"{os.path.join('q', 'b.yml')}:1: no plug-in 'zplug' in {tmp_path / 'q'}, and this process holds another one "
        f"from {source}; to use that one, give its path"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "PLUGINS: znothing",
            "a.yml:1: PLUGINS: expected a list of importable names or paths, got the string 'znothing'",
        ),
        ("PLUGINS: [5]", "a.yml:1: PLUGINS: expected a list of importable names or paths, got [5]"),
        ("PLUGINS:\n- znothing", "a.yml:2: no plug-in 'znothing': not in {folder} and not installed"),
        ("PLUGINS: [yaml.znothing]", "a.yml:1: no plug-in 'yaml.znothing': not in {folder} and not installed"),
        ("PLUGINS: [my-plugin]", "a.yml:1: plug-in 'my-plugin' is neither an importable name nor a path with a slash"),
        (
            "PLUGINS: [./znothing]",
            "a.yml:1: no plug-in at {folder}/znothing; expected a folder with an __init__.py, or a .py file",
        ),
    ],
)
def test_a_plugin_that_is_not_there(write, tmp_path, text, message):
    write("a.yml", text)
    assert error("a.yml") == message.format(folder=tmp_path)


def test_a_plugin_that_fails(write, tmp_path):
    source = write("zplug.py", "\nimport zmissing_library\n")
    assert error(write("a.yml", "PLUGINS: [zplug]")) == (
        "a.yml:1: plug-in 'zplug' failed while it was imported: "
        f"ModuleNotFoundError: No module named 'zmissing_library' ({source}:2)"
    )
    assert "zplug" not in sys.modules
    write("zplug.py", "X = 1 +\n")
    assert error("a.yml") == (
        f"a.yml:1: plug-in 'zplug' failed while it was imported: SyntaxError: invalid syntax ({source}:1)"
    )
    write("zplug.py", "def add_config(cfg): cfg.SEED.x = 1\n")
    assert error("a.yml").startswith(f"a.yml:1: add_config of plug-in {tmp_path / 'zplug'} failed: AttributeError(")


def test_plugins_declare_before_any_file_is_merged(write):
    write("zplug.py", DECLARES)
    write("base.yml", "MINE: {START: 7}")
    assert load_config(write("a.yml", "_BASE_: base.yml\nPLUGINS: [zplug]")).MINE.START == 7


def test_a_plugin_that_another_thread_is_importing_is_waited_for(write):
    write("p/zslow/__init__.py", "import time\ntime.sleep(0.3)\nREADY = True")
    path = write("p/a.yml", "PLUGINS: [zslow]")

    def ready(_):
        load_config(path)
        return getattr(sys.modules["zslow"], "READY", False)

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(ready, range(3))) == [True] * 3
