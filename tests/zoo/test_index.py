"""Indexes of models: their format, clashes, other people's indexes, and where a file of theirs is found."""

from __future__ import annotations

import pytest
import yaml

from reidzoo.config import dump, load_config, stage_configs
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.runs.pipeline import Pipeline
from reidzoo.version import ROOT
from reidzoo.zoo import entry, index, list_models, register_index
from reidzoo.zoo.lookup import locate


def test_this_packages_indexes_are_right():
    """Whatever stands in them: each entry is complete, and no name is in two of them."""
    names = list_models()
    assert len(set(names)) == len(names)
    for name in names:
        found = entry(name)
        assert found.name == name and found.folder in (ROOT / "zoo", ROOT / "reidzoo" / "zoo")
        for address in found.addresses:
            if address.startswith("file:"):
                assert (found.folder / address.removeprefix("file:")).is_file(), (name, address)


@pytest.mark.usefixtures("no_indexes")
class TestIndexes:
    def test_an_index_is_registered(self, write_index, write_tiny):
        path, facts = write_tiny("tiny")
        assert register_index(write_index(tiny_net={"addresses": [f"file:{path.name}"], **facts})) == ["tiny_net"]
        assert list_models() == ["tiny_net"]
        found = entry("tiny_net")
        assert found.metrics == {"Market1501 twin": {"mAP": 0.36}} and found.licence == "Apache-2.0"
        assert found.filename == f"zoo/tiny_net-{facts['sha256'][:8]}.safetensors"
        assert locate("tiny_net") == locate("zoo://tiny_net") == path

    def test_an_unknown_name_has_the_near_miss(self, write_index):
        register_index(write_index(domainmix_mini={}, ecn_mini={}))
        with pytest.raises(WeightsError) as caught:
            entry("domainmx_mini")
        text = str(caught.value)
        assert "Did you mean domainmix_mini?" in text and "There are: domainmix_mini, ecn_mini" in text

    def test_a_clash_says_from_where_both_come(self, write_index):
        one, other = write_index("one.yml", a={}, b={}), write_index("other.yml", c={}, b={})
        register_index(one)
        assert register_index(one) == ["a", "b"]  # twice does no harm
        with pytest.raises(ConfigError, match=r"two models are called 'b': one is at .*one\.yml:\d+, .*other\.yml:\d+"):
            register_index(other)
        assert list_models() == ["a", "b"]

    @pytest.mark.parametrize(
        "change, message",
        [
            ({"licens": "x"}, r"i\.yml:\d+: unknown key net\.licens; did you mean net\.licence\?"),
            ({"colour": "x"}, "unknown key net.colour; net has config, addresses"),
            ({"addresses": []}, r"i\.yml:\d+: net\.addresses: expected a list of addresses that begin with https:"),
            ({"addresses": ["ftp://x"]}, r"net\.addresses: expected"),
            ({"addresses": "https://x"}, r"net\.addresses: expected"),
            ({"sha256": "abc"}, r"net\.sha256: expected 64 hexadecimal digits"),
            ({"size": "12"}, r"net\.size: expected a number of bytes, or null, got the string '12'"),
            ({"size": True}, r"net\.size: expected"),
            ({"convert": 3}, r"net\.convert: expected a family"),
            ({"metrics": {"Market1501": {"mAP": 36.0}}}, r"net\.metrics: .*not percent"),
            ({"metrics": {"Market1501": 0.3}}, r"net\.metrics"),
            ({"licence": None}, r"net\.licence: expected a text .*, got null"),
            ({"version": 0.1}, r"net\.version: .*quotes"),
        ],
    )
    def test_mistakes_have_file_entry_and_key(self, write_index, change, message):
        with pytest.raises(ConfigError, match=message):
            register_index(write_index("i.yml", net=change))
        assert list_models() == []

    @pytest.mark.parametrize(
        "text, message",
        [
            ("net: {addresses: [https://x]}", r"i\.yml:1: net: config, sha256, .*version are missing"),
            ("net: 3", r"i\.yml:1: net: expected a mapping"),
            ("net/x: {}", "name is made of letters"),
            ("[a]", "an index is a mapping"),
            ("a: 1\na: 2", r"i\.yml:2: duplicate key a"),
            ("a: {", r"i\.yml:\d: not valid YAML"),
        ],
    )
    def test_broken_indexes(self, tmp_path, text, message):
        (tmp_path / "i.yml").write_text(text)
        with pytest.raises(ConfigError, match=message):
            register_index(tmp_path / "i.yml")

    def test_a_missing_index(self, tmp_path):
        with pytest.raises(ConfigError, match=r"gone\.yml: there is no such index"):
            register_index(tmp_path / "gone.yml")

    def test_an_index_by_its_address_with_a_copy_for_later(self, server, write_index, write_tiny, caplog):
        path, facts = write_tiny("theirs")
        addresses = [server.put("/theirs.safetensors", path.read_bytes())]
        url = server.put("/index.yml", write_index(theirs={"addresses": addresses, **facts}).read_bytes())
        assert register_index(url) == ["theirs"] and entry("theirs").folder is None
        assert locate("zoo://theirs").read_bytes() == path.read_bytes()
        server.stop()
        assert register_index(url) == ["theirs"] and "taking the copy" in caplog.text
        locate("zoo://theirs")
        with pytest.raises(WeightsError, match=r"cannot be had: .*put it by hand at .*indexes/"):
            register_index(url.replace("index.yml", "other.yml"))

    def test_a_released_file_replaces_an_older_one(self, server, write_index, write_tiny):
        path, facts = write_tiny("a")
        url = server.put("/a", path.read_bytes())
        register_index(write_index(net={"addresses": [url], **facts}))
        first = locate("net")
        path, facts = write_tiny("a")  # other random weights
        server.put("/a", path.read_bytes())
        register_index(write_index(net={"addresses": [url], **facts}))
        assert locate("net") != first and locate("net").read_bytes() == path.read_bytes()

    def test_another_toolkits_file_is_converted_once(self, server, write_index, monkeypatch, tmp_path):
        import reidzoo.zoo.convert

        calls = []

        def convert_file(recipe, source, target, info):
            calls.append((recipe, source, info))
            target.write_bytes(b"converted")

        monkeypatch.setattr(reidzoo.zoo.convert, "convert_file", convert_file)
        url = server.put("/a.pth", b"theirs")
        register_index(write_index(net={"addresses": [url], "convert": "spcl size=256x128"}))
        path = locate("net")
        assert locate("net") == path and path.read_bytes() == b"converted" and len(calls) == 1
        recipe, source, info = calls[0]
        assert recipe == "spcl size=256x128" and source.read_bytes() == b"theirs" and source.name == "net.pth"
        assert info["name"] == "net" and info["metrics"] == {"Market1501 twin": {"mAP": 0.36}}
        path.write_bytes(b"damaged")
        assert locate("net").read_bytes() == b"converted"


# --- ZOO.INDEXES ---------------------------------------------------------------------------------------------------


def test_a_configuration_names_indexes_relative_to_its_file(write_config, tmp_path):
    (tmp_path / "sub").mkdir()
    base = write_config("base.yml", ZOO={"INDEXES": ["one.yml", "https://x.invalid/two.yml"]})
    path = tmp_path / "sub/file.yml"
    path.write_text(yaml.safe_dump({"_BASE_": "../base.yml", "ZOO": {"INDEXES": ["three.yml"]}}))
    wanted = [str(tmp_path / "one.yml"), "https://x.invalid/two.yml", str(tmp_path / "sub/three.yml")]
    cfg = load_config(path, ["ZOO.INDEXES", "[~/four.yml]"])
    found, of_base = cfg.ZOO.INDEXES, load_config(base).ZOO.INDEXES
    assert found == [*wanted, str(index.Path.home() / "four.yml")] and of_base == wanted[:2]
    (tmp_path / "sub/dumped.yml").write_text(dump(cfg))
    assert load_config(tmp_path / "sub/dumped.yml").ZOO == cfg.ZOO
    assert stage_configs(cfg)["train"].ZOO == cfg.ZOO


def test_mistakes_in_a_configuration(write_config):
    for node, message in (
        ({"INDEX": []}, r"c\.yml:\d+: unknown key ZOO\.INDEX; did you mean ZOO\.INDEXES\?"),
        ({"INDEXES": "a.yml"}, r"ZOO\.INDEXES: expected a list"),
        ({"INDEXES": [3]}, r"ZOO\.INDEXES: expected a list"),
        ([], "ZOO: expected a mapping"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_config(write_config("c.yml", ZOO=node))
    with pytest.raises(ConfigError, match="ZOO stands at the top of a file only"):
        load_config(write_config("c.yml", STAGES={"a": {"ZOO": {"INDEXES": []}}}))


@pytest.mark.usefixtures("no_indexes")
def test_a_runs_configuration_makes_its_indexes_known(write_config, write_index):
    write_index("theirs.yml", theirs={})
    Pipeline(load_config(write_config(ZOO={"INDEXES": ["theirs.yml"]})))
    assert list_models() == ["theirs"]
    write_index("clash.yml", theirs={})
    with pytest.raises(ConfigError, match="two models are called 'theirs'"):
        Pipeline(load_config(write_config(ZOO={"INDEXES": ["clash.yml"]})))


@pytest.mark.usefixtures("no_indexes")
@pytest.mark.parametrize("broken", [b"a: [", b"- 1", b"net: {}", b"\xff\xfe", b"<html>login</html>", b"x" * (5 << 20)])
def test_a_broken_answer_does_not_replace_the_good_copy(server, write_index, home, caplog, broken):
    good = write_index(theirs={}).read_bytes()
    url = server.put("/i.yml", good)
    assert register_index(url) == ["theirs"]
    (copy,) = (home / "indexes").glob("*.yml")
    server.put("/i.yml", broken, tag='"2"', length=False)
    assert register_index(url) == ["theirs"] and "taking the copy" in caplog.text
    assert copy.read_bytes() == good and [path.name for path in copy.parent.iterdir()] == [copy.name]


@pytest.mark.usefixtures("no_indexes")
def test_a_broken_answer_is_not_kept(server, home):
    url = server.put("/i.yml", b"net: {}")
    with pytest.raises(ConfigError, match=r"http://.*/i\.yml:1: .*net"):
        register_index(url)
    assert list((home / "indexes").iterdir()) == []
