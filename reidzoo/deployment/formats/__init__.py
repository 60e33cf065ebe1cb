"""The file formats of exported graphs."""

from __future__ import annotations

from reidzoo.deployment.formats.format import Format, Graph, Session
from reidzoo.deployment.formats.onnx_format import OnnxFormat
from reidzoo.deployment.formats.openvino_format import OpenVinoFormat
from reidzoo.deployment.formats.pt2_format import Pt2Format
from reidzoo.deployment.formats.torchscript_format import TorchScriptFormat

__all__ = [
    "FORMATS", "Format", "Graph", "OnnxFormat", "OpenVinoFormat", "Pt2Format", "Session", "TorchScriptFormat",
]  # fmt: skip

FORMATS: dict[str, Format] = {
    format.name: format for format in (OnnxFormat(), TorchScriptFormat(), OpenVinoFormat(), Pt2Format())
}
"""Name -> format."""
