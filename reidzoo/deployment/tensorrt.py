"""The command that builds a TensorRT engine of an exported ONNX file, which needs the user's own GPU."""

from __future__ import annotations

__all__ = ["tensorrt_command"]


def tensorrt_command(file: str, size: tuple[int, int], precision: str = "fp32", most: int = 64) -> str:
    """Return the ``trtexec`` command for batches of 1 to ``most`` images.

    Args:
        file: the ONNX file.
        size: H and W of its input.
        precision: of the file; one of ``fp16`` builds an engine in half precision, one of ``int8`` keeps its ranges.
        most: images in a batch.
    """
    height, width = size
    shapes = [f"--{which}Shapes=images:{n}x3x{height}x{width}" for which, n in (("min", 1), ("opt", 16), ("max", most))]
    flags = {"fp32": [], "fp16": ["--fp16"], "int8": ["--int8", "--fp16"]}[precision]
    engine = f"{file.removesuffix('.onnx')}.engine"
    return " ".join(["trtexec", f"--onnx={file}", f"--saveEngine={engine}", *shapes, *flags])
