"""Dataset readers, wrappers that change a dataset's records, and the table of training images."""

from __future__ import annotations

from reidzoo.datasets.base import Dataset
from reidzoo.datasets.build import build_dataset
from reidzoo.datasets.cam_styled import CamStyled
from reidzoo.datasets.color_transfer import ColorTransfer
from reidzoo.datasets.csv_dataset import CSVDataset
from reidzoo.datasets.cuhk03 import CUHK03
from reidzoo.datasets.cuhk03_np import CUHK03NP
from reidzoo.datasets.duke import DukeMTMC
from reidzoo.datasets.folder import FolderDataset
from reidzoo.datasets.hold_out import HoldOut
from reidzoo.datasets.hold_out_identities import HoldOutIdentities
from reidzoo.datasets.label_file import read_pseudo_labels, write_pseudo_labels
from reidzoo.datasets.market1501 import Market1501
from reidzoo.datasets.market_layout import MarketLayout
from reidzoo.datasets.msmt17 import MSMT17
from reidzoo.datasets.msmt17_renamed import MSMT17Renamed
from reidzoo.datasets.nuisance import nuisance_classes, nuisance_frequencies, nuisance_labels
from reidzoo.datasets.pseudo_labeled import PseudoLabeled
from reidzoo.datasets.randperson import RandPerson
from reidzoo.datasets.record import Record
from reidzoo.datasets.style_folder import StyleFolder
from reidzoo.datasets.table_dataset import TableDataset
from reidzoo.datasets.thinned import Thinned
from reidzoo.datasets.train_set import TrainSet
from reidzoo.datasets.true_identities import true_identities
from reidzoo.datasets.two_views import TwoViews
from reidzoo.datasets.unlabeled import Unlabeled
from reidzoo.datasets.unlabeled_folder import UnlabeledFolder
from reidzoo.datasets.vehicleid import VehicleID
from reidzoo.datasets.veri import VeRi776
from reidzoo.datasets.viper import VIPeR
from reidzoo.datasets.wrapper import DatasetWrapper

__all__ = [
    "CUHK03",
    "CUHK03NP",
    "MSMT17",
    "CSVDataset",
    "CamStyled",
    "ColorTransfer",
    "Dataset",
    "DatasetWrapper",
    "DukeMTMC",
    "FolderDataset",
    "HoldOut",
    "HoldOutIdentities",
    "MSMT17Renamed",
    "Market1501",
    "MarketLayout",
    "PseudoLabeled",
    "RandPerson",
    "Record",
    "StyleFolder",
    "TableDataset",
    "Thinned",
    "TrainSet",
    "TwoViews",
    "Unlabeled",
    "UnlabeledFolder",
    "VIPeR",
    "VeRi776",
    "VehicleID",
    "build_dataset",
    "nuisance_classes",
    "nuisance_frequencies",
    "nuisance_labels",
    "read_pseudo_labels",
    "true_identities",
    "write_pseudo_labels",
]
