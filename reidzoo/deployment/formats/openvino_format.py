"""OpenVINO's folders, run by OpenVINO."""

from __future__ import annotations

import tempfile
from pathlib import Path

from reidzoo.deployment.formats.format import Format, Graph, Session
from reidzoo.deployment.formats.onnx_format import OnnxFormat, quiet
from reidzoo.needs import need

__all__ = ["OpenVinoFormat"]


class OpenVinoFormat(Format):
    """A folder ``NAME_openvino_model`` with ``NAME.xml`` and ``NAME.bin``, made of the ONNX graph.

    ``fp16`` keeps the weights in half precision; ``int8`` is the ONNX file's quantisation.
    """

    name, suffix, runtime = "openvino", "_openvino_model", "openvino"
    precisions = ("fp32", "fp16", "int8")

    def check(self, precision: str) -> None:
        """Check as ``Format.check`` does."""
        super().check(precision)
        OnnxFormat().check(precision)
        need("openvino", "openvino")

    def write(self, graph: Graph, path: Path) -> None:
        """Write the folder."""
        openvino = need("openvino", "openvino")
        wanted = "fp32" if graph.precision == "fp16" else graph.precision
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".onnx.") as work, quiet():
            file = Path(work) / "graph.onnx"
            OnnxFormat().write(Graph(graph.network, graph.example, wanted, graph.calibration), file)
            model = openvino.convert_model(str(file))
            for name, text in graph.metadata.items():
                model.set_rt_info(text, ["reidzoo", name])
            path.mkdir()
            xml = path / f"{path.name.removesuffix(self.suffix)}.xml"
            openvino.save_model(model, str(xml), compress_to_fp16=graph.precision == "fp16")
            del model  # it holds the ONNX file open

    def open(self, path: Path, threads: int) -> Session:
        """Return a compiled model on the CPU, in float32 arithmetic as far as the file is."""
        openvino = need("openvino", "openvino")
        (xml,) = path.glob("*.xml")
        options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
        compiled = openvino.Core().compile_model(str(xml), "CPU", options)
        return lambda images: compiled([images])[0].copy()
