"""DeepStream: NvDeepSORT and NvDCF build a TensorRT engine of an ONNX file and feed it bytes as floats."""

from __future__ import annotations

from reidzoo.deployment.consumers.consumer import Consumer
from reidzoo.deployment.feed import Feed
from reidzoo.deployment.resizing import Resize, by_opencv
from reidzoo.inference.ready_model import ReadyModel

__all__ = ["DeepStream"]


class DeepStream(Consumer):
    """The ``ReID`` section of Gst-nvtracker's configuration.

    It computes ``netScaleFactor * (pixel - offsets)`` with one factor for all channels, which cannot express a
    standard deviation per channel; the graph takes the pixels as they are and normalises them itself. The keys are
    those of its documented configurations; it was not run, as it needs an NVIDIA GPU with DeepStream.
    """

    name, read = "deepstream", "6 and 7, as documented"
    formats = ("onnx",)

    def feed(self, model: ReadyModel, size: tuple[int, int]) -> Feed:
        """Return the feed of RGB pixels in 0..255, as floats."""
        return Feed("deepstream", size, scale=1.0)

    def resize(self, model: ReadyModel) -> Resize:
        """Return a bilinear resizing without antialiasing; there is no copy of DeepStream's own here."""
        return by_opencv

    def companions(self, name: str, file: str, model: ReadyModel, feed: Feed) -> dict[str, str]:
        """Return the section to copy into the tracker's configuration."""
        height, width = feed.size
        lines = [
            "ReID:",
            "  reidType: 2                  # re-association (NvDCF); 1 for NvDeepSORT",
            "  outputReidTensor: 0",
            "  batchSize: 100",
            "  workspaceSize: 1000          # MB",
            f"  reidFeatureSize: {model.embedding_dim}",
            "  reidHistorySize: 100",
            f"  inferDims: [3, {height}, {width}]",
            "  networkMode: 0               # 0 fp32, 1 fp16",
            "  inputOrder: 0                # NCHW",
            "  colorFormat: 0               # RGB",
            "  offsets: [0.0, 0.0, 0.0]     # the graph normalises",
            "  netScaleFactor: 1.0",
            "  keepAspc: 0                  # crops are stretched, as in training",
            "  addFeatureNormalization: 0   # the graph does",
            f"  onnxFile: {file}",
            f"  modelEngineFile: {file}_b100_gpu0_fp32.engine",
        ]
        return {f"{name}_nvtracker_reid.yml": "\n".join(lines) + "\n"}

    def usage(self, name: str, file: str) -> str:
        """Return where the section goes."""
        return f"copy the section of {name}_nvtracker_reid.yml into the ll-config-file of nvtracker, beside {file}"
