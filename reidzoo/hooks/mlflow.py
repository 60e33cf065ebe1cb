"""A run in MLflow."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from reidzoo.checks import TEXT, check, either, one_of
from reidzoo.engine.runner import Runner
from reidzoo.files import write_text
from reidzoo.hooks.tracker import TrackerHook
from reidzoo.needs import need
from reidzoo.registry import HOOK

__all__ = ["MLflowHook"]


@HOOK.register_module()
class MLflowHook(TrackerHook):
    """Keeps a run in MLflow: in a folder, in a database, or on a server.

    Each stage is a run of its own. A resumed one goes on under the id in the stage's ``mlflow.json``, and what MLflow
    has of a step already is not written again: a resumed run repeats it bit for bit. It takes
    ``pip install 'reidzoo[mlflow]'``.

    Args:
        uri: MLflow's tracking address, such as ``http://HOST:5000``; "" for what the environment variable
            ``MLFLOW_TRACKING_URI`` says, or else the folder ``OUTPUT_DIR/mlruns``.
        experiment: in which it is shown.
        images: how many of the first batch are shown, at most; 0 for none.
    """

    module, extra = "mlflow", "mlflow"

    def __init__(self, uri: str = "", experiment: str = "reidzoo", images: int = 16) -> None:
        super().__init__(images)
        check(self, TEXT, experiment=experiment)
        check(self, either(TEXT, one_of("")), uri=uri)
        self.uri, self.experiment = uri, experiment
        self._client: Any = None
        self._run = ""
        self._known: dict[str, int] = {}

    def start(self, runner: Runner, name: str, config: str) -> bool:
        """Begin the run, or go on with it."""
        mlflow = need(self.module, self.extra)
        local = (Path(runner.cfg.OUTPUT_DIR) / "mlruns").resolve().as_uri()
        uri = self.uri or os.environ.get("MLFLOW_TRACKING_URI") or local
        if uri == local:  # newer versions ask before they use a folder
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        self._client = mlflow.MlflowClient(tracking_uri=uri)
        note = runner.output_dir / "mlflow.json"
        new = not note.exists()
        self._known = {}
        if new:
            self._run = self._client.create_run(self._experiment(), run_name=name).info.run_id
            self._client.log_text(self._run, config, "config.yml")
            write_text(note, json.dumps({"run": self._run, "uri": uri}) + "\n")
            return True
        self._run = json.loads(note.read_text(encoding="utf-8"))["run"]
        self._client.update_run(self._run, status="RUNNING")
        for key in self._client.get_run(self._run).data.metrics:
            self._known[key] = max(point.step for point in self._client.get_metric_history(self._run, key))
        return False

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(self.experiment)
        return found.experiment_id if found else self._client.create_experiment(self.experiment)

    def put_scalars(self, scalars: Mapping[str, float], step: int) -> None:
        """Write values that are not there yet, in one request."""
        metric = need("mlflow.entities", self.extra).Metric
        named = {_key(name): value for name, value in scalars.items()}
        now = int(1000 * time.time())
        fresh = [metric(key, value, now, step) for key, value in named.items() if self._known.get(key, -1) < step]
        self._client.log_batch(self._run, metrics=fresh)

    def put_image(self, name: str, image: np.ndarray, step: int) -> None:
        """Keep a picture among the run's artifacts."""
        self._client.log_image(self._run, Image.fromarray(image), f"{_key(name)}.png")

    def put_file(self, path: Path, step: int) -> None:
        """Keep a picture's file among the run's artifacts."""
        self._client.log_artifact(self._run, str(path))

    def finish(self) -> None:
        """Mark the run as ended."""
        self._client.set_terminated(self._run)


def _key(name: str) -> str:
    """Return a name as MLflow takes it, without such as the ``@`` and ``=`` of ``TPR@FPR=0.01``."""
    return re.sub(r"[^\w\-. /]", "_", name)
