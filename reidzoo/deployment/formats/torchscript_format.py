"""TorchScript files, run by torch."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from reidzoo.deployment.formats.format import Format, Graph, Session
from reidzoo.deployment.formats.onnx_format import quiet

__all__ = ["TorchScriptFormat"]


class TorchScriptFormat(Format):
    """A ``.torchscript`` file for ``torch.jit.load``; the metadata is its extra file ``reidzoo.json``."""

    name, suffix, runtime = "torchscript", ".torchscript", "torch"
    precisions = ("fp32",)

    def write(self, graph: Graph, path: Path) -> None:
        """Trace the graph and write it; what it computes does not depend on the images, so that a trace is whole."""
        with quiet(), torch.no_grad():
            traced = torch.jit.trace(graph.network, torch.from_numpy(graph.example), check_trace=False)
            torch.jit.save(traced, str(path), _extra_files={"reidzoo.json": json.dumps(dict(graph.metadata))})

    def open(self, path: Path, threads: int) -> Session:
        """Return the loaded module's call; torch has one number of threads for the whole process."""
        with quiet():
            module = torch.jit.load(str(path)).eval()
        return lambda images: module(torch.from_numpy(images)).detach().numpy()
