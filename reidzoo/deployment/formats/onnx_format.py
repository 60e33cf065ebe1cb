"""ONNX files, run by onnxruntime."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidzoo.deployment.formats.format import Format, Graph, Session
from reidzoo.errors import UserError
from reidzoo.needs import need

__all__ = ["OnnxFormat", "quiet"]

OLDEST_TORCH = "2.9"
"""2.6's exporter knows no operator for a resized position embedding, and its MobileNetV2 and OSNet-AIN do not run."""
OPSET = 18
"""Old enough for the runtimes of the trackers, and the oldest that torch's exporter writes without conversion."""


class OnnxFormat(Format):
    """An ``.onnx`` file with the input ``images``, the output ``embeddings`` and the free dimension ``batch``.

    ``fp16`` keeps weights and arithmetic in half precision behind float32 inputs and outputs. ``int8`` is onnxruntime's
    static quantisation (QDQ) of convolutions and linear layers, weights per channel, activations by the extremes that
    the calibration images reach.
    """

    name, suffix, runtime = "onnx", ".onnx", "onnxruntime"
    precisions = ("fp32", "fp16", "int8")

    def check(self, precision: str) -> None:
        """Check as ``Format.check`` does."""
        super().check(precision)
        for module in ("onnx", "onnxscript", "onnxruntime"):
            need(module, "export")
        if torch.__version__ < OLDEST_TORCH:
            raise UserError(
                f"ONNX files need torch {OLDEST_TORCH} or newer, this is {torch.__version__}: what older ones write of "
                f"some networks does not run. pip install -U 'reidzoo[export]', or --to torchscript or pt2"
            )

    def write(self, graph: Graph, path: Path) -> None:
        """Write the file."""
        onnx = need("onnx", "export")
        with quiet():
            torch.onnx.export(
                graph.network, (torch.from_numpy(graph.example),), str(path), dynamo=True, external_data=False,
                input_names=["images"], output_names=["embeddings"], dynamic_shapes={"images": {0: "batch"}},
                opset_version=OPSET, verbose=False,
            )  # fmt: skip
            if graph.precision == "int8":
                _quantise(path, graph.calibration)
        model = onnx.load(str(path))
        if graph.precision == "fp16":
            from onnxruntime.transformers.float16 import convert_float_to_float16

            model = convert_float_to_float16(model, keep_io_types=True)
        onnx.helper.set_model_props(model, dict(graph.metadata))
        onnx.save(model, str(path))

    def open(self, path: Path, threads: int) -> Session:
        """Return an onnxruntime session on the CPU."""
        runtime = need("onnxruntime", "export")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda images: session.run(["embeddings"], {"images": images})[0]


def _quantise(path: Path, batches: Sequence[np.ndarray]) -> None:
    """Replace the float32 file by one of 8 bits."""
    from onnxruntime import quantization

    whole = path.with_name(f"{path.stem}.whole.onnx")
    path.rename(whole)
    quantization.quantize_static(
        str(whole), str(path), _reader(batches), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QInt8, weight_type=quantization.QuantType.QInt8,
        op_types_to_quantize=["Conv", "Gemm", "MatMul"],
    )  # fmt: skip
    whole.unlink()


def _reader(batches: Sequence[np.ndarray]) -> Any:
    """Return what onnxruntime asks for the calibration images."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        """Hands out one batch after the other."""

        def __init__(self) -> None:
            self.batches = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            """Return the next batch, None behind the last."""
            batch = next(self.batches, None)
            return None if batch is None else {"images": batch}

    return Reader()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep exporters from printing their progress and their advice to developers."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
