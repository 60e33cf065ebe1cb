"""The decision of a calibrated model, in the words of all commands and of the gallery's page."""

from __future__ import annotations

from dataclasses import dataclass

from reidzoo.errors import UserError
from reidzoo.evaluation.calibration import Calibration
from reidzoo.inference.ready_model import ReadyModel

__all__ = ["PRIOR", "Decision"]

PRIOR = "the share of pairs of one identity among those asked about"


@dataclass(frozen=True)
class Decision:
    """Says on which side of the threshold a similarity lies, and how probable one identity is at one prior.

    The threshold is of a rate of false accepts, whatever the prior; so what lies below it may well be probable.

    Attributes:
        calibration: the model's.
        prior: the share of pairs of one identity among those that are asked about, in (0, 1).
    """

    calibration: Calibration
    prior: float

    @classmethod
    def of(cls, model: ReadyModel, prior: float | None = None) -> Decision | None:
        """Return how a model decides; None where it is not calibrated.

        Args:
            model: the model.
            prior: None for that of its calibration.

        Raises:
            UserError: a prior outside (0, 1), or for a model that is not calibrated.
        """
        known = model.calibration
        if prior is not None and (known is None or not 0 < prior < 1):
            raise UserError(
                "the prior (--prior) is a share between 0 and 1, and takes a model that reidzoo calibrate has written"
            )
        return None if known is None else cls(known, known.prior if prior is None else prior)

    def probability(self, similarity: float) -> float:
        """Return the probability of one identity at the prior."""
        return float(self.calibration.probability(similarity, self.prior))

    def side(self, similarity: float) -> str:
        """Return ``above`` where the similarity reaches the threshold, otherwise ``below``."""
        return "above" if self.calibration.accepts(similarity) else "below"

    @property
    def threshold_words(self) -> str:
        """The threshold in words, by the false-accept rate that it is for."""
        return f"the threshold of {100 * self.calibration.far:.3g} % false accepts"

    @property
    def prior_words(self) -> str:
        """The prior that the probability is for, in words."""
        return f"a prior of {100 * self.prior:.3g} %"
