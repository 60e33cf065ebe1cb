from __future__ import annotations

import pytest

from reidzoo.datasets.nodes import read_node
from reidzoo.errors import UserError


@pytest.mark.parametrize(
    "text", ["{type: FolderDataset, folder: crops", "[Market1501]", "{folder: crops}", "{type: X, file: [}", "3"]
)
def test_words_of_the_command_line_that_name_no_dataset(text):
    assert read_node("Market1501", "--dataset") == "Market1501"
    dated = "{type: CSVDataset, file: 2024-13-45}"
    assert read_node(dated, "--dataset") == {"type": "CSVDataset", "file": "2024-13-45"}
    assert read_node("{type: VehicleID, test_size: 800}", "--dataset") == {"type": "VehicleID", "test_size": 800}
    with pytest.raises(UserError, match="--dataset takes a dataset's name or "):
        read_node(text, "--dataset")
