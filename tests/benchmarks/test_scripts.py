from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["ranking", "rerank", "clustering", "kmeans"])
def test_without_the_reference(load, tmp_path, capsys, name):
    assert load(name).main(["--dim", "16", "--skip-reference", "--json", str(tmp_path / "figures.json")]) == 0
    assert "ratio " not in capsys.readouterr().out
    assert "reference" not in json.loads((tmp_path / "figures.json").read_text())


def test_answers_that_differ_are_an_exit_code(load, tmp_path, monkeypatch, capsys):
    script = load("rerank")
    monkeypatch.setattr(script, "reference_rerank", lambda query, gallery, *_: script.np.zeros((100, 500)))
    assert script.main(["--dim", "8", "--json", str(tmp_path / "figures.json")]) == 1
    assert json.loads((tmp_path / "figures.json").read_text())["agree"] is False


def test_clusters_that_are_worse_than_scikit_learns_are_an_exit_code(load, tmp_path, monkeypatch, capsys):
    script = load("kmeans")
    monkeypatch.setattr(script, "kmeans", lambda features, *_, **__: (script.np.arange(len(features)) % 12, None))
    arguments = ["--images", "300", "--clusters", "12", "--seeds", "1", "--json", str(tmp_path / "figures.json")]
    assert script.main(arguments) == 1
    assert json.loads((tmp_path / "figures.json").read_text())["agree"] is False


def test_inertia_and_agreement_of_known_clusters(load):
    script = load("kmeans")
    features = script.torch.tensor([[0.0], [2.0], [10.0], [14.0]])
    labels = script.np.array([0, 0, 1, 1])
    assert script.inertia(features, labels) == 2 * 1 + 2 * 4
    assert script.quality(features, script.torch.tensor([5, 5, 3, 3]), [labels, labels]) == (10.0, 1.0)
