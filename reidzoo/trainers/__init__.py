"""Trainers: ``trainer.py`` is the training loop, every other file the steps of one method."""

from reidzoo.trainers.adversarial import AdversarialTrainer
from reidzoo.trainers.baseline import BaselineTrainer
from reidzoo.trainers.domain_adaptation import DomainAdaptationTrainer
from reidzoo.trainers.nuisance import NuisanceTrainer
from reidzoo.trainers.source_target import SourceTargetTrainer
from reidzoo.trainers.trainer import Trainer, needs
from reidzoo.trainers.validation import Validation

__all__ = [
    "AdversarialTrainer", "BaselineTrainer", "DomainAdaptationTrainer", "NuisanceTrainer", "SourceTargetTrainer",
    "Trainer", "Validation", "needs",
]  # fmt: skip
