"""Checks that a part keeps the contract of its registry: what scikit-learn's ``check_estimator`` is for estimators.

The author of a plug-in puts one line into a test::

    from reidzoo.testing import check_loss

    def test_it_keeps_the_contract():
        check_loss({"type": "MyLoss", "margin": 0.3})

``registry.py`` says what the contracts are. A check raises ``ContractError``, an ``AssertionError``, whose message says
which clause is broken and how. A part is given as its node; as its class, or another callable that builds it; or as it
is, and is then copied. The first two are checked more strictly, since they can be built twice: what a part keeps
outside of its buffers shows. Checks take seconds at most, run on the CPU, and give the same answer each time.
"""

from __future__ import annotations

from reidzoo.testing.backbone import check_backbone
from reidzoo.testing.clusterer import check_clusterer
from reidzoo.testing.contract import ContractError
from reidzoo.testing.dataset import check_dataset
from reidzoo.testing.discriminator import check_discriminator
from reidzoo.testing.head import check_head
from reidzoo.testing.hook import check_hook
from reidzoo.testing.loss import check_loss
from reidzoo.testing.memory import check_memory
from reidzoo.testing.processes import in_two_processes
from reidzoo.testing.sampler import check_sampler
from reidzoo.testing.switch_rule import check_switch_rule
from reidzoo.testing.tiny import SOURCE, TARGET
from reidzoo.testing.trainer import check_trainer
from reidzoo.testing.transform import check_transform

__all__ = [
    "SOURCE", "TARGET", "ContractError", "check_backbone", "check_clusterer", "check_dataset", "check_discriminator",
    "check_head", "check_hook", "check_loss", "check_memory", "check_sampler", "check_switch_rule", "check_trainer",
    "check_transform", "in_two_processes",
]  # fmt: skip
