"""``reidzoo compare``: the side of the threshold in words and in the exit code, and the probability."""

from __future__ import annotations

import pytest
from PIL import Image

from reidzoo.commands import main
from reidzoo.evaluation import Calibration

from ..served_models import home, write_tiny  # noqa: F401

CALIBRATION = Calibration(0.999, 0.01, (0.9, 1.0), 0.5, "logistic", 8.0, -4.0, (0.0, 1.0), (0.1, 0.9))


@pytest.fixture
def ask(tmp_path, capsys):
    """Return a function that compares a red image with one of a colour; gives exit code, stdout and stderr."""
    for name, colour in (("red", (255, 0, 0)), ("again", (255, 0, 0)), ("blue", (0, 20, 255))):
        Image.new("RGB", (16, 32), colour).save(tmp_path / f"{name}.png")

    def ask(model, other, *words):
        code = 0
        try:
            main(["compare", str(model), str(tmp_path / "red.png"), str(tmp_path / f"{other}.png"), *words])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return ask


def test_verdicts(ask, write_tiny):  # noqa: F811
    model = write_tiny(info={"name": "tiny", "calibration": CALIBRATION.to_dict()})[0]
    code, said, _ = ask(model, "again")
    assert code == 0
    assert said.startswith("above the threshold of 1 % false accepts: cosine similarity 1.0000, threshold 0.9990\n")
    assert "probability of one identity: 0.982 at a prior of 50 % (the share of pairs of one identity" in said
    code, said, _ = ask(model, "blue", "--prior", "0.1")
    assert code == 1 and said.startswith("below the threshold of 1 % false accepts: ") and "a prior of 10 % (" in said
    code, said, _ = ask(model, "blue", "--threshold", "-1")
    assert code == 0 and said.startswith("above the threshold: ") and "threshold -1.0000\n" in said


@pytest.mark.slow
def test_without_a_calibration(ask, write_tiny):  # noqa: F811
    model = write_tiny()[0]
    assert ask(model, "again", "--threshold", "0.5")[:2] == (
        0, "above the threshold: cosine similarity 1.0000, threshold 0.5000\n",
    )  # fmt: skip
    for words, message in (
        (["again"], "the cosine similarity is 1.0000, and nothing says"),
        (["again", "--prior", "0.5", "--threshold", "0.5"], "--prior"),
        (["again", "--threshold", "2"], "from -1 to 1"),
        (["gone", "--threshold", "0.5"], "gone.png does not exist"),
    ):
        code, _, error = ask(model, *words)
        assert code == 2 and message in error and "Traceback" not in error
