"""Gathers what a run and its model have to show, and writes it as a page and as pictures."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from yacs.config import CfgNode

from reidzoo.config import dump, load_config
from reidzoo.datasets.nodes import Node
from reidzoo.engine.evaluate import check_evaluation
from reidzoo.engine.run_folder import RunFolder
from reidzoo.errors import UserError
from reidzoo.evaluation.intervals import bootstrap_interval
from reidzoo.files import show_path, write_text, write_whole
from reidzoo.inference.load import make_ready
from reidzoo.reporting.page import Page, Section
from reidzoo.reporting.picture import Picture, Table
from reidzoo.reporting.retrieval import Retrieval
from reidzoo.reporting.retrieval_pictures import RETRIEVAL_PICTURES
from reidzoo.reporting.run_record import RunRecord
from reidzoo.reporting.subject import Subject
from reidzoo.reporting.training_pictures import TRAINING_PICTURES
from reidzoo.runs.find_model import TrainedModel, find_model
from reidzoo.version import __version__

__all__ = ["Report"]

_LACKING = {
    "label-quality": "it clusters nothing",
    "clusters": "it clusters nothing",
    "alternation": "no stage alternates by thresholds",
}
"""Kind -> why there may be none."""
Say = Callable[[str], object]


@dataclass
class Report:
    """A report of a run, of a model, or of both.

    Attributes:
        name: what it is of.
        record: what the run has written; None for a model without its run.
        model: the trained model; None for the curves alone.
        cfg: the whole configuration.
        device: where to embed.
    """

    name: str
    record: RunRecord | None
    model: TrainedModel | None
    cfg: CfgNode
    device: str = "cpu"

    @classmethod
    def of(
        cls,
        what: str,
        *,
        stage: str = "",
        opts: Sequence[str] = (),
        device: str = "cpu",
        trust: bool = False,
        curves_only: bool = False,
    ) -> Report:
        """Find what there is to report of.

        Args:
            what: a run's folder, or whatever else names a trained model.
            stage: whose model; "" for the last that is finished.
            opts: overrides of the configuration.
            device: where to embed.
            trust: as for ``find_model``.
            curves_only: take the run's files alone.

        Raises:
            ConfigError, WeightsError: as ``find_model``.
        """
        run = RunFolder(what) if RunFolder(what).config.is_file() else None
        model, cfg = None, None
        if run is not None:
            cfg = load_config(run.config, opts, trust=trust)
            finished = [name for name, files in run.stages.items() if files.finished]
            stage = stage or (finished[-1] if finished else "")
        if not curves_only and (run is None or stage):
            model = find_model(weights=what, stage=stage, opts=opts, trust=trust)
            run = run or model.run
        if cfg is None:
            cfg = model.read_config(opts) if model else load_config(what, opts, trust=trust)
        name = run.path.resolve().name if run else Path(what).stem
        return cls(name, RunRecord.read(run, cfg) if run else None, model, cfg, device)

    def subjects(self, node: Node | None = None, say: Say = print) -> Iterator[Subject]:
        """Yield the evaluation of the model on each test set.

        Args:
            node: a test set in the place of the configuration's.
            say: is told what is being done.

        Raises:
            DatasetError: one is not there.
        """
        if self.model is None:
            return
        cfg = self.model.cfg
        if node is not None:
            cfg = cfg.clone()
            cfg.defrost()
            cfg.DATASETS.TESTS = [node]
            cfg.freeze()
        targets = check_evaluation(cfg)
        model = make_ready(self.model, self.device)
        for title, dataset in targets.items():
            say(f"Testing on {title} ...")
            yield Subject(Retrieval.of_model(model, dataset, title), model)

    def picture(self, kind: str, node: Node | None = None, queries: Sequence[str] = ()) -> Picture:
        """Return one picture, of the first test set.

        Args:
            kind: a key of ``TRAINING_PICTURES`` or of ``RETRIEVAL_PICTURES``.
            node: a test set in the place of the configuration's.
            queries: which queries a picture of some shows, by name or by number from 1; () for its own choice.

        Raises:
            DatasetError: the images are not there.
            UserError: there is nothing of the kind, or no such query.
        """
        if kind in RETRIEVAL_PICTURES and self.model is None:
            raise UserError(f"{self.name}: no stage is finished, so there is no model whose {kind} could be drawn")
        picture: Picture | None = None
        if kind in TRAINING_PICTURES and self.record is not None:
            picture = TRAINING_PICTURES[kind](self.record)
        elif kind in RETRIEVAL_PICTURES:
            for subject in itertools.islice(self.subjects(node), 1):
                picture = RETRIEVAL_PICTURES[kind](replace(subject, queries=queries))
        if picture is None:
            raise UserError(f"{self.name} has no {kind} to draw: {_LACKING.get(kind, 'there is nothing of the kind')}")
        return picture

    def write(self, folder: Path, say: Say = print) -> list[Path]:
        """Write ``report.html`` and the pictures, and return their paths, the page's first.

        Raises:
            DatasetError: a test set is not there.
            UserError: there is nothing to show.
        """
        sections = [*self._retrieval_sections(say), *self._training_sections()]
        if not any(section.pictures for section in sections):
            raise UserError(f"{self.name}: there is nothing to report yet: no line of losses, and no trained model")
        made_by = f"Written by reidzoo {__version__}, reidzoo report. Nothing on this page is fetched."
        page = Page(self.name, self._summary(sections), sections, self._folded(), made_by)
        paths = [folder / "report.html"]
        for section in sections:
            prefix = f"{_stem(section.title)}-" if section.figures else ""
            for picture in section.pictures:
                paths.append(folder / f"{prefix}{picture.kind}{picture.ending}")
                with write_whole(paths[-1]) as file:
                    file.write(picture.content)
        write_text(paths[0], page.html())
        return paths

    def _retrieval_sections(self, say: Say) -> Iterator[Section]:
        for subject in self.subjects(say=say):
            retrieval, pictures, notes = subject.retrieval, [], []
            for kind, draw in RETRIEVAL_PICTURES.items():
                try:
                    pictures.append(draw(subject))
                except UserError as error:
                    notes.append(f"Left out: {kind}. {error}")
                    say(notes[-1])
            yield Section(retrieval.title, _explain(retrieval), _figures(subject), pictures, notes)

    def _training_sections(self) -> Iterator[Section]:
        if self.record is None or not self.record.stages:
            return
        pictures, notes = [], []
        for kind, draw in TRAINING_PICTURES.items():
            try:
                if picture := draw(self.record):
                    pictures.append(picture)
            except UserError as error:  # the clusters
                notes.append(f"Left out: {kind}. {error}")
        spans = self.record.spans
        text = "Stages: " + ", ".join(f"{name} ({end - begin:.3g} epochs)" for begin, end, name in spans) + "."
        yield Section("Training", text if len(spans) > 1 else "", pictures=pictures, notes=notes)

    def _summary(self, sections: Sequence[Section]) -> list[str]:
        lines = []
        tested = [section for section in sections if section.figures]
        if tested:
            words = [f"{s.figures['mAP'][0]} mAP, {s.figures['rank-1'][0]} rank-1 on {s.title}" for s in tested]
            lines.append("; ".join(words) + ".")
        if any(section.title.endswith(" twin") for section in tested):
            lines.append("Twins are rendered drawings in the real layouts: their figures say nothing of real images.")
        return lines

    def _folded(self) -> dict[str, Table | str]:
        folded: dict[str, Table | str] = {"Configuration": dump(self.cfg)}
        if self.record is not None:
            folded |= _environment(self.record)
        if self.model is not None:
            rows = [("model", self.model.name), ("weights", show_path(self.model.weights))]
            folded["Model"] = Table(("", ""), rows)
        return folded


def _explain(retrieval: Retrieval) -> str:
    result = retrieval.result
    text = f"Protocol {result.protocol}, {result.metric} distances; {result.num_valid_queries:,} of "
    text += f"{result.num_queries:,} queries count, {len(retrieval.gallery):,} gallery images."
    if result.trials > 1:
        text += f" Figures are means over {result.trials} drawn galleries, images are those of the first."
    return text


def _figures(subject: Subject) -> dict[str, tuple[str, str]]:
    """Return the measures in percent, with their intervals where they have one."""
    result, (_, low, high) = subject.retrieval.result, subject.band
    ends = {f"rank-{rank}": (low[rank - 1], high[rank - 1]) for rank in (1, 5, 10) if rank <= len(low)}
    ends["mAP"] = bootstrap_interval(result.per_query_ap, subject.retrieval.query_pids)
    return {
        name: (
            f"{100 * value:.1f} %",
            _interval(subject, *ends[name]) if name in ends else "",
        )
        for name, value in result.figures().items()
        if name in ("mAP", "rank-1", "rank-5", "rank-10", "mINP")
    }


def _interval(subject: Subject, low: float, high: float) -> str:
    if subject.few:
        return f"of {subject.people} identities, too few for an interval"
    if low == high:
        return f"the same in all {subject.people} identities"
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _environment(record: RunRecord) -> dict[str, Table]:
    if not record.run.environment.is_file():
        return {}
    environment = record.run.read_environment()
    rows = [(key, str(value)) for key, value in environment.items() if key != "parts"]
    found = {"Environment": Table(("", ""), rows)}
    parts = environment.get("parts", [])
    if len(parts) > 1:
        found["Parts of the run"] = Table(("began", "command"), [(part["began"], part["command"]) for part in parts])
    return found


def _stem(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
