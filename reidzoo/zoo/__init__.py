"""The zoo of trained models: the indexes that list them by name, and the converters of other toolkits' files.

``list_models()`` has the names, ``reidzoo.load(name)`` gives a model that takes images, and
``register_index(path_or_url)`` makes other people's models known; in configurations a model is ``zoo://NAME`` wherever
weights are named.
"""

from __future__ import annotations

from reidzoo.weights.model_file import ModelFile, read_header, read_model_file, write_model_file
from reidzoo.zoo.index import entry, list_models, register_index
from reidzoo.zoo.index_entry import IndexEntry

__all__ = [
    "IndexEntry",
    "ModelFile",
    "entry",
    "list_models",
    "read_header",
    "read_model_file",
    "register_index",
    "write_model_file",
]
