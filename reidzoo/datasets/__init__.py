"""Dataset readers, one's own images, and the table of training images."""

from __future__ import annotations

from reidzoo.datasets.base import Dataset
from reidzoo.datasets.build import build_dataset
from reidzoo.datasets.csv_dataset import CSVDataset
from reidzoo.datasets.cuhk03_np import CUHK03NP
from reidzoo.datasets.duke import DukeMTMC
from reidzoo.datasets.folder import FolderDataset
from reidzoo.datasets.market1501 import Market1501
from reidzoo.datasets.market_layout import MarketLayout
from reidzoo.datasets.msmt17 import MSMT17
from reidzoo.datasets.pseudo_labeled import PseudoLabeled
from reidzoo.datasets.pseudo_labels import read_pseudo_labels, write_pseudo_labels
from reidzoo.datasets.randperson import RandPerson
from reidzoo.datasets.record import Record
from reidzoo.datasets.train_set import TrainSet
from reidzoo.datasets.unlabeled import Unlabeled
from reidzoo.datasets.wrapper import DatasetWrapper

__all__ = [
    "CUHK03NP",
    "MSMT17",
    "CSVDataset",
    "Dataset",
    "DatasetWrapper",
    "DukeMTMC",
    "FolderDataset",
    "Market1501",
    "MarketLayout",
    "PseudoLabeled",
    "RandPerson",
    "Record",
    "TrainSet",
    "Unlabeled",
    "build_dataset",
    "read_pseudo_labels",
    "write_pseudo_labels",
]
