"""What the pictures of a report show: the figures of the evaluation, and what the run has written down."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reidzoo.config import load_config
from reidzoo.datasets.names import Names
from reidzoo.engine.run_folder import RunFolder
from reidzoo.errors import UserError
from reidzoo.evaluation import Mark
from reidzoo.evaluation.calibration import Calibration
from reidzoo.inference.load import make_ready
from reidzoo.reporting import RETRIEVAL_PICTURES, TRAINING_PICTURES
from reidzoo.reporting.report import _interval
from reidzoo.reporting.run_record import RunRecord
from reidzoo.reporting.subject import Subject
from reidzoo.runs.find_model import find_model
from reidzoo.visualization import figure as figures

from .conftest import FIGURES, QUALITY

PEOPLE = [(pid, camera) for pid in range(1, 7) for camera in (0, 1)]
CURVES = {"far": 0.05, "interval": (0.1, 0.3), "prior": 0.5, "method": "isotonic", "slope": 9.0, "intercept": -4.0}
CALIBRATION = Calibration(0.2, **CURVES, knots=(0.0, 1.0), values=(0.1, 0.9), facts={"data": "other people"})


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn, in their order."""
    found, legend = [], figures._add_legend
    monkeypatch.setattr(figures, "_add_legend", lambda figure: (found.append(figure), legend(figure)))
    return found


@pytest.fixture
def subject(make_retrieval):
    """An evaluation of made-up features by a calibrated model that is never asked to embed."""
    retrieval = make_retrieval([*PEOPLE[::2], (7, 0)], [*PEOPLE, (-1, 1), (1, 0)], seed=3)
    return Subject(retrieval, SimpleNamespace(size=(64, 32), calibration=CALIBRATION))


@pytest.fixture
def record(run_folder):
    return RunRecord.read(RunFolder(run_folder), load_config(run_folder / "config.yml"))


def pairs(retrieval):
    """Return similarities of the pairs that count, of one identity and of two."""
    sides = [
        torch.nn.functional.normalize(part, dim=1) for part in (retrieval.query_features, retrieval.gallery_features)
    ]
    cosine, same, different = (sides[0] @ sides[1].T).numpy(), [], []
    for row, query in enumerate(retrieval.query):
        for column, image in enumerate(retrieval.gallery):
            if image.pid == query.pid and image.camid != query.camid:
                same.append(cosine[row, column])
            elif image.pid not in (query.pid, -1):
                different.append(cosine[row, column])
    with_match = {image.pid for image in retrieval.gallery}
    assert 7 not in with_match
    return np.array(same), np.array(different)


def lines(figure):
    return {line.get_label(): line.get_xydata() for axes in figure.axes for line in axes.lines}


def test_rank_lists(subject):
    picture, retrieval = RETRIEVAL_PICTURES["rank-lists"](subject), subject.retrieval
    precision = retrieval.result.per_query_ap
    assert [name for name, _ in subject.chosen] == ["best", "best", "median", "median", "worst", "worst"]
    marks = {"right": Mark.RIGHT, "wrong": Mark.WRONG, "uncounted": Mark.UNCOUNTED, "junk": Mark.JUNK}
    for (name, row), strip, cells in zip(subject.chosen, picture.strips, picture.table.rows):
        query, file = retrieval.query[row], Path(retrieval.query[row].path).name
        who = f"{name}: identity {query.pid}, camera {query.camid + 1}, {file}"
        assert strip.title == f"{who}, AP {100 * precision[row]:.1f} %" and cells[0] == who
        assert [marks[tile.mark] for tile in strip.tiles[1:]] == retrieval.lists.marks[row, :10].tolist()
        shown = [float(tile.caption) for tile in strip.tiles[1:]]
        assert shown == pytest.approx(1 - retrieval.lists.distances[row, :10], abs=0.006)
        assert cells[1] == f"{100 * precision[row]:.1f}" and len(cells) == 12
        for column, tile, cell in zip(retrieval.lists.columns[row], strip.tiles[1:], cells[2:]):
            pid, camid = retrieval.gallery[column].pid, retrieval.gallery[column].camid
            assert tile.who == (f"id {pid}, c{camid + 1}" if pid >= 0 else "")
            assert cell == ", ".join(filter(None, [tile.mark, tile.who, tile.caption]))
    values = precision[[row for _, row in subject.chosen]]
    assert values[0] == precision[:6].max() and values[-1] == precision[:6].min()


def test_queries_are_chosen_by_name_and_by_number(subject):
    retrieval = subject.retrieval
    query = [record._replace(path=f"set/{record.pid % 2}/{row // 2}.jpg") for row, record in enumerate(retrieval.query)]
    subject = dataclasses.replace(subject, retrieval=dataclasses.replace(retrieval, query=query))
    choose = lambda *names: dataclasses.replace(subject, queries=names).chosen  # noqa: E731
    assert choose("7", "1", "set/1/3.jpg", "0/1.jpg") == [
        ("query 7", 6),
        ("query 1", 0),
        ("query 7", 6),
        ("query 4", 3),
    ]
    assert subject.title("query 7", 6) == "query 7: identity 7, camera 1, 3.jpg, no match"
    for name, message in (("8", "number from 1 to 7"), ("3.jpeg", r"Did you mean 3\.jpg"), ("1.jpg", "2 among the 7")):
        with pytest.raises(UserError, match=message):
            choose(name)


def test_confusions(subject):
    picture, lists = RETRIEVAL_PICTURES["confusions"](subject), subject.retrieval.lists
    assert picture.text.startswith(f"{int(lists.missed.sum())} of 6 queries find another identity first")
    assert sum(int(row[2]) for row in picture.table.rows) == int(lists.missed.sum()) > 1
    for strip, (one, other, mistakes, total, _) in zip(picture.strips, picture.table.rows):
        assert strip.title.startswith(f"identities {one} and {other}") and int(mistakes) <= int(total) == 2
        assert [tile.mark for tile in strip.tiles[:3]] == ["query", "wrong", "right"]
        assert f"identity {one}," in strip.tiles[0].words or f"identity {other}," in strip.tiles[0].words


def test_where_nobody_is_mistaken_nothing_is_marked_wrong(make_retrieval):
    eyes = torch.eye(3, 6)
    retrieval = make_retrieval([(1, 0), (2, 0), (3, 0)], [(1, 1), (2, 1), (3, 1)], q=eyes, g=eyes)
    picture = RETRIEVAL_PICTURES["confusions"](Subject(retrieval, SimpleNamespace(size=(64, 32))))
    assert "come nearest to it: a query, its nearest match, and the nearest" in picture.text
    for strip in picture.strips:
        assert [tile.mark for tile in strip.tiles[:3]] == ["query", "right", "plain"]
        assert strip.tiles[2].words.startswith("another identity, identity")


@pytest.mark.parametrize("kind", ["confusions", "distances", "roc"])
def test_one_identity_makes_no_picture_of_two(make_retrieval, kind):
    alone = make_retrieval([(1, 0)], [(1, 1), (-1, 1)])
    with pytest.raises(UserError, match=r"has one identity|has no two identities"):
        RETRIEVAL_PICTURES[kind](Subject(alone, SimpleNamespace(size=(64, 32), calibration=None)))


def test_people_and_cameras_are_called_by_their_names(subject):
    """As folders and tables of your own images have them; who is confused is no number to their owner."""
    people = {"Ann": 1, "Bob": 2, "Cleo": 3, "Dan": 4, "Eve": 5, "Fay": 6}
    names = Names.of(SimpleNamespace(pid_of=people, camid_of={"door": 0}))
    subject = dataclasses.replace(subject, retrieval=dataclasses.replace(subject.retrieval, names=names))
    picture = RETRIEVAL_PICTURES["confusions"](subject)
    for strip, (one, other, *_) in zip(picture.strips, picture.table.rows):
        assert {one, other} <= set(people) and strip.title.startswith(f"identities {one} and {other}")
        assert strip.tiles[0].words in {f"the query, identity {name}, camera door" for name in (one, other)}
    strip = RETRIEVAL_PICTURES["rank-lists"](subject).strips[0]
    assert any("camera unknown" in tile.words for tile in strip.tiles[1:])
    assert strip.tiles[0].who in {f"{name}, door" for name in people}


def test_few_identities_have_no_interval(subject, drawn):
    picture = RETRIEVAL_PICTURES["cmc"](subject)
    assert "6 identities are too few" in picture.text and len(picture.table.rows[0]) == 2
    assert not drawn[0].axes[0].collections and "interval" not in picture.alt
    assert _interval(subject, 1, 1) == "of 6 identities, too few for an interval"


def test_cmc(subject, drawn, monkeypatch):
    monkeypatch.setattr("reidzoo.reporting.subject.PEOPLE", 6)
    assert _interval(subject, 1, 1) == "the same in all 6 identities"
    picture, cmc = RETRIEVAL_PICTURES["cmc"](subject), subject.retrieval.result.cmc
    (figure,) = drawn
    np.testing.assert_allclose(lines(figure)["queries matched"][:, 1], 100 * cmc)
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(100 * subject.band[1].min()) and band.max() == pytest.approx(100)
    assert picture.table.rows[0][:2] == ("rank-1", f"{100 * cmc[0]:.1f}")


def test_distances_with_the_calibrated_threshold(subject, drawn):
    same, different = pairs(subject.retrieval)
    picture = RETRIEVAL_PICTURES["distances"](subject)
    (figure,) = drawn
    (axes,) = figure.axes
    drawn_at = {name: xy[0, 0] for name, xy in lines(figure).items()}
    assert list(drawn_at) == ["as many misses as false accepts", "calibrated, for 5 %"]
    assert "0.1 % of the different pairs would be less than one: not drawn." in picture.text
    assert f"{len(same)} pairs of one identity and {len(different)} of different ones" in picture.text
    assert drawn_at["calibrated, for 5 %"] == pytest.approx(0.2)
    name, value, accepted, false = picture.table.rows[1]
    assert (name, value) == ("calibrated, for 5 %", "0.200") and "measured on other people" in picture.text
    assert float(accepted) == pytest.approx(100 * (same >= 0.2).mean(), abs=0.1)
    assert float(false) == pytest.approx(100 * (different >= 0.2).mean(), rel=0.01)
    for patch, values in zip(axes.patches, (different, same)):
        outline = patch.get_path().vertices
        assert outline[:, 1].max() <= 100 and "%" in axes.get_ylabel() and len(axes.get_yticks())
        assert outline[:, 0].min() <= values.min() + 0.01 and outline[:, 0].max() >= values.max() - 0.01
    subject.model.calibration = None
    assert len(RETRIEVAL_PICTURES["distances"](subject).table.rows) == 1
    subject.model.calibration = CALIBRATION


def test_a_threshold_of_cosines_is_not_drawn_among_other_distances(make_retrieval):
    retrieval = make_retrieval(PEOPLE, PEOPLE, metric="euclidean")
    subject = Subject(retrieval, SimpleNamespace(size=(64, 32), calibration=CALIBRATION))
    assert len(RETRIEVAL_PICTURES["distances"](subject).table.rows) == 1


def test_roc(subject, drawn):
    same, different = pairs(subject.retrieval)
    picture = RETRIEVAL_PICTURES["roc"](subject)
    curve = lines(drawn[0])["one threshold for all pairs"]
    for cut in np.quantile(different, [0.3, 0.6, 0.9]):
        false, true = (100 * (values >= cut).mean() for values in (different, same))
        assert np.abs(curve - (false, true)).sum(1).min() < 2
    assert picture.text == (
        f"{len(same)} pairs of one identity, {len(different)} of different ones. 0.01 %, 0.1 %, 1 % of the different "
        "pairs would be less than one: not drawn."
    )
    marks = [rate for rate in subject.retrieval.roc.tpr_at if rate * len(different) >= 1]
    assert [float(row[0]) for row in picture.table.rows] == [100 * rate for rate in marks]


@pytest.mark.parametrize("kind, label", [("identities", "id"), ("cameras", "camera")])
def test_maps_of_the_embeddings(subject, drawn, kind, label):
    picture = RETRIEVAL_PICTURES[kind](subject)
    laid, shown = subject.map, {name: xy for name, xy in lines(drawn[0]).items() if not name.startswith("_")}
    labels = laid.pids if kind == "identities" else laid.camids + 1  # published cameras are numbered from 1
    assert set(shown) == {f"{label} {value}" for value in np.unique(labels)}
    for value in np.unique(labels):
        np.testing.assert_allclose(shown[f"{label} {value}"], laid.points[labels == value])
    own = labels == labels[0]
    cosine = (laid.features @ laid.features.T).numpy()[own]
    within = (cosine[:, own].sum() - own.sum()) / (own.sum() * (own.sum() - 1))
    row = next(row for row in picture.table.rows if row[0] == str(labels[0]))
    assert row[1] == str(own.sum()) and float(row[2]) == pytest.approx(within, abs=6e-4)
    assert float(row[3]) == pytest.approx(cosine[:, ~own].mean(), abs=6e-4)
    assert picture.alt.startswith(f"{picture.title}. t-SNE" if kind == "identities" else f"{picture.title}. The same")
    counts = np.bincount(laid.pids)[laid.pids]
    assert laid.most_identity == pytest.approx(np.minimum(counts - 1, 5).mean() / 5)
    assert laid.same_identity <= laid.most_identity


@pytest.mark.slow
def test_attention_lays_heat_over_the_pictures(run_folder, make_retrieval):
    model = make_ready(find_model(weights=run_folder))
    draws = torch.Generator().manual_seed(0)
    sides = (torch.randn(count, model.embedding_dim, generator=draws) for count in (6, 12))
    retrieval = make_retrieval(PEOPLE[::2], PEOPLE, **dict(zip("qg", sides)))
    picture = RETRIEVAL_PICTURES["attention"](Subject(retrieval, model))
    for strip in picture.strips:
        assert [tile.mark for tile in strip.tiles] == ["query", "query", "right", "query", "wrong"]
        plain = strip.tiles[0].image.astype(float)
        assert all(np.abs(tile.image - plain).mean() > 3 for tile in strip.tiles[1:])
        assert "identity" in strip.tiles[2].words and "another identity" in strip.tiles[4].words
    for row in picture.table.rows:
        assert row[2].startswith(("a true match, identity", "another identity, identity")) and float(row[3]) <= 1
        assert all(sum(map(int, shares.split(", "))) in (99, 100, 101) for shares in row[4:] if shares)
    assert len(picture.table.rows) == 2 * len(picture.strips)


@pytest.mark.slow
def test_losses_rates_and_retrieval_over_the_epochs(record, drawn):
    """Two stages of three epochs of four steps, a line after the second and the fourth step."""
    losses, rates, progress = (TRAINING_PICTURES[kind](record) for kind in ("losses", "rates", "progress"))
    panels = {axes.get_title(loc="left"): axes for axes in drawn[0].axes}
    assert set(panels) == {"id", "domain"}
    pieces = [line.get_xydata().tolist() for line in panels["id"].lines if len(line.get_xydata()) > 2]
    assert pieces[0] == [[e + s / 4, 2 / (1 + e + s)] for e in range(3) for s in (2, 4)], "the first stage's"
    spans = [band.get_label() for band in panels["id"].patches]
    assert spans[-3:] == ["phase: model", "phase: discriminator", "phase: model"]
    assert losses.table.head == ("epoch", "id", "domain") and rates.table.rows[0] == ("0.5", "0.001")
    assert {tuple(set(line.get_ydata())) for line in drawn[1].axes[0].lines if len(line.get_xydata()) > 2} == {(1e-3,)}
    measured = lines(drawn[2])
    assert measured["mAP"].tolist() == [[epoch, 100 * FIGURES["mAP"]] for epoch in range(1, 7)]
    assert progress.table.rows[0][1] == "25.0" and "the last epoch's model is the one reported" in progress.text
    stage = record.stages[-1].files
    stage.results.write_text('{"validation": {"kept_epoch": 2}}')
    assert "is of the stage's epoch 2, chosen by validation" in TRAINING_PICTURES["progress"](record).text
    stage.checkpoint.unlink()
    assert TRAINING_PICTURES["progress"](record).text.endswith("The test sets choose nothing.")


@pytest.mark.slow
def test_pseudo_labels_their_clusters_and_turns(record, drawn):
    quality, turns, clusters = (
        TRAINING_PICTURES[kind](record) for kind in ("label-quality", "alternation", "clusters")
    )
    measured = lines(drawn[0])
    assert measured["purity"].tolist() == [[0, 100 * QUALITY["purity"]]] and measured["clusters"].tolist() == [[0, 3]]
    assert measured["recall over cameras"].tolist() == [[0, 60]] and quality.table.rows[0][0] == "0"
    assert turns.table.rows == [("1", "0", "begin → m", "a 0.500", "goal 0.600")]
    assert lines(drawn[1])["a"].tolist() == [[0, 0.5], [1, 0.5]], "epochs, as in the other pictures"
    TRAINING_PICTURES["losses"](record)
    tints = [{p.get_label(): p.get_facecolor() for p in figure.axes[0].patches}["phase: m"] for figure in drawn[1:]]
    assert len(tints) == 2 and tints[0] == tints[1]
    assert [patch.get_label() for patch in drawn[1].axes[0].patches] == ["phase: m"]
    assert [row[0] for row in clusters.table.rows] and len(clusters.strips) == 3
    for strip, (label, images, _, purity) in zip(clusters.strips, clusters.table.rows):
        right = sum(tile.mark == "right" for tile in strip.tiles)
        assert strip.title.startswith(f"cluster {label}: {images} images")
        if int(images) == len(strip.tiles):
            assert float(purity) == pytest.approx(100 * right / int(images), abs=0.5)


def test_clusters_without_their_labels_are_asked_for(record):
    for stage in record.stages:
        stage.files.labels.unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"No stage of run has a pseudo_labels\.csv"):
        TRAINING_PICTURES["clusters"](record)
    record.stages = record.stages[1:]
    assert TRAINING_PICTURES["clusters"](record) is None
