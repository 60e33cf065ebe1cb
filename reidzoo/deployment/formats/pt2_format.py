"""Files of ``torch.export``, run by torch."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from reidzoo.deployment.formats.format import Format, Graph, Session
from reidzoo.deployment.formats.onnx_format import quiet

__all__ = ["Pt2Format"]


class Pt2Format(Format):
    """A ``.pt2`` file for ``torch.export.load``; the metadata is its extra file ``reidzoo.json``."""

    name, suffix, runtime = "pt2", ".pt2", "torch"
    precisions = ("fp32",)

    def write(self, graph: Graph, path: Path) -> None:
        """Export the graph and write it."""
        batch = torch.export.Dim("batch", min=1, max=1 << 16)
        with quiet(), torch.no_grad():
            images = torch.from_numpy(graph.example)
            program = torch.export.export(graph.network, (images,), dynamic_shapes={"images": {0: batch}})
            torch.export.save(program, str(path), extra_files={"reidzoo.json": json.dumps(dict(graph.metadata))})

    def open(self, path: Path, threads: int) -> Session:
        """Return the loaded module's call; torch has one number of threads for the whole process."""
        with quiet():
            module = torch.export.load(str(path)).module()
        return lambda images: module(torch.from_numpy(images)).detach().numpy()
