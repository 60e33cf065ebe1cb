"""Reads what a run has written down while it trained, all stages on one axis of epochs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from reidzoo.config import stage_configs
from reidzoo.engine.evaluate import FIGURES
from reidzoo.engine.run_folder import RunFolder, StageFolder
from reidzoo.registry import TRAINER
from reidzoo.visualization import Span

__all__ = ["RunRecord", "StageRecord"]

NOT_LOSSES = {"iter", "epoch", "step", "evaluation", "pseudo_labels"}
Series = dict[str, list[tuple[float, float]]]


@dataclass
class StageRecord:
    """The written results of a stage.

    Attributes:
        files: its folder.
        cfg: its configuration.
        rows: the lines of ``metrics.jsonl``.
        begin: the epochs of the stages before it.
    """

    files: StageFolder
    cfg: CfgNode
    rows: list[dict[str, Any]]
    begin: float

    @property
    def epochs(self) -> float:
        """How many epochs it has, those that are not over in part."""
        return max((self._time(row) for row in self.rows), default=0.0)

    @cached_property
    def _length(self) -> dict[int, int]:
        """Epoch -> its steps, of the one that is not over as many as the longest has."""
        steps: dict[int, int] = {}
        for row in self.rows:
            if "step" in row:
                steps[row["epoch"]] = max(steps.get(row["epoch"], 0), row["step"])
        if steps and not any(row["epoch"] > max(steps) for row in self.rows):
            steps[max(steps)] = max(steps.values())
        return steps

    def _time(self, row: Mapping[str, Any]) -> float:
        """Return epochs since the stage's begin."""
        return row["epoch"] + (row["step"] / self._length[row["epoch"]] if "step" in row else 0)

    def losses(self) -> Series:
        """Return name -> points of the losses."""
        return self._series(lambda row: [name for name in row if name not in NOT_LOSSES and not _is_rate(name)])

    def rates(self) -> Series:
        """Return name -> points of the learning rates, while their optimizers take steps."""

        def moving(row: Mapping[str, Any]) -> list[str]:
            resting = self._resting(row)
            return [name for name in row if _is_rate(name) and name not in resting]

        return self._series(moving)

    def _series(self, names: Callable[[Mapping[str, Any]], list[str]]) -> Series:
        found: Series = {}
        for row in self.rows:
            for name in names(row) if "step" in row else ():
                found.setdefault(name, []).append((self.begin + self._time(row), row[name]))
        return found

    def _resting(self, row: Mapping[str, Any]) -> set[str]:
        """Return the learning rates of a line whose optimizers its phase does not step, as far as that is known."""
        time = self.begin + self._time(row)
        phase = next((name for begin, end, name in self.phases if begin < time <= end), "")
        step = getattr(TRAINER.get(self.cfg.TRAINER.type), f"step_{phase}", None)
        moved = {f"lr/{optimizer}" for _, optimizer in getattr(step, "needs", ())}
        return {name for name in row if name.startswith("lr/")} - moved if moved else set()

    def evaluations(self) -> list[tuple[float, dict[str, Any]]]:
        """Return epoch and figures by test set of every evaluation."""
        return [(self.begin + self._time(row), row["evaluation"]) for row in self.rows if "evaluation" in row]

    def labels(self) -> list[tuple[float, dict[str, float]]]:
        """Return epoch and quality of every clustering."""
        return [(self.begin + self._time(row), row["pseudo_labels"]) for row in self.rows if "pseudo_labels" in row]

    @cached_property
    def alternation(self) -> dict[str, Any] | None:
        """The record of an alternation by thresholds, None where there was none."""
        path = self.files.path / "alternation.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    @cached_property
    def phases(self) -> list[Span]:
        """The epochs of each phase, where phases take whole epochs."""
        spans: list[Span] = []
        if record := self.alternation:
            spans = [(point["epoch"] - 1, point["epoch"], point["phase"]) for point in record["timeline"][1:]]
        for hook in self.cfg.HOOKS.values():
            if isinstance(hook, Mapping) and hook.get("type") == "EpochPhaseHook":
                order = list(hook["order"])
                spans = [(epoch, epoch + 1, order[epoch % len(order)]) for epoch in sorted(self._length)]
        return [(self.begin + begin, self.begin + end, name) for begin, end, name in spans]


@dataclass
class RunRecord:
    """The written results of a run.

    Attributes:
        run: its folder.
        cfg: its configuration.
        stages: those that have begun, in their order.
    """

    run: RunFolder
    cfg: CfgNode
    stages: list[StageRecord] = field(default_factory=list)

    @classmethod
    def read(cls, run: RunFolder, cfg: CfgNode) -> RunRecord:
        """Read the folder of a run.

        Args:
            run: the folder.
            cfg: its whole configuration.
        """
        record, begin = cls(run, cfg), 0.0
        configs = stage_configs(cfg)
        for name, files in run.stages.items():
            if files.metrics.exists():
                stage = StageRecord(files, configs[name], _read_lines(files.metrics), begin)
                record.stages.append(stage)
                begin += stage.epochs
        return record

    @property
    def spans(self) -> list[Span]:
        """Begin, end and name of each stage."""
        return [(stage.begin, stage.begin + stage.epochs, stage.files.name) for stage in self.stages]

    @property
    def phases(self) -> list[Span]:
        """Begin, end and name of each phase."""
        return [span for stage in self.stages for span in stage.phases]

    def losses(self) -> Series:
        """Return name -> points of the losses of all stages."""
        return _joined(stage.losses() for stage in self.stages)

    def rates(self) -> Series:
        """Return name -> points of the learning rates of all stages."""
        return _joined(stage.rates() for stage in self.stages)

    def measures(self) -> dict[str, Series]:
        """Return test set -> figure -> points in percent, from every evaluation of every stage."""
        found: dict[str, Series] = {}
        for stage in self.stages:
            for epoch, results in stage.evaluations():
                for target, figures in results.items():
                    for name in FIGURES:
                        if name in figures:
                            points = found.setdefault(target, {}).setdefault(name, [])
                            points.append((epoch, 100 * figures[name]))
        return found

    def labels(self) -> list[tuple[float, dict[str, float]]]:
        """Return epoch and quality of every clustering of every stage."""
        return [point for stage in self.stages for point in stage.labels()]


def _is_rate(name: str) -> bool:
    return name.startswith("lr/")


def _joined(stages: Iterable[Series]) -> Series:
    found: Series = {}
    for series in stages:
        for name, points in series.items():
            found.setdefault(name, []).extend(points)
    return found


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of ``metrics.jsonl``; the last one may be half written."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
