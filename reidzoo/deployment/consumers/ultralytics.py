"""ultralytics: crops by torch, in [0, 1], not normalised."""

from __future__ import annotations

from reidzoo.deployment.consumers.consumer import Consumer
from reidzoo.deployment.feed import Feed
from reidzoo.deployment.resizing import Resize, by_torch
from reidzoo.inference.ready_model import ReadyModel

__all__ = ["Ultralytics"]


class Ultralytics(Consumer):
    """The ``model`` of ultralytics' BoT-SORT, Deep OC-SORT and TrackTrack, run by its ``AutoBackend``.

    It enlarges each box by 2 % and 10 pixels a side before it cuts, which no graph can undo. The size comes from an
    ONNX graph; for the other formats it would feed squares of 224, and they are not written for it.
    """

    name, read = "ultralytics", "8.4.190"
    formats = ("onnx",)

    def feed(self, model: ReadyModel, size: tuple[int, int]) -> Feed:
        """Return the feed of RGB pixels in [0, 1]."""
        return Feed("ultralytics", size)

    def resize(self, model: ReadyModel) -> Resize:
        """Return torch's bilinear resizing without antialiasing, in floating point."""
        return by_torch

    def companions(self, name: str, file: str, model: ReadyModel, feed: Feed) -> dict[str, str]:
        """Return the configuration of a tracker that uses the model."""
        settings = {
            "tracker_type": "botsort", "track_high_thresh": 0.25, "track_low_thresh": 0.1, "new_track_thresh": 0.25,
            "track_buffer": 30, "match_thresh": 0.8, "fuse_score": True, "gmc_method": "sparseOptFlow",
            "proximity_thresh": 0.5, "appearance_thresh": 0.8, "with_reid": True, "model": file,
        }  # fmt: skip
        lines = [f"{key}: {str(value) if not isinstance(value, bool) else value}" for key, value in settings.items()]
        return {f"{name}_botsort.yaml": "\n".join(lines) + "\n"}

    def usage(self, name: str, file: str) -> str:
        """Return its command line."""
        return f"yolo track model=yolo11n.pt source=VIDEO tracker={name}_botsort.yaml   # run beside {file}"
