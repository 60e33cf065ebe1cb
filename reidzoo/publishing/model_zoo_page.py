"""Renders the page of all models, ``model_zoo.md``, from the sidecars, the indexes and the recorded runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from tabulate import tabulate

from reidzoo.engine.evaluate import target_figures
from reidzoo.errors import UserError
from reidzoo.runs.environment import command_line
from reidzoo.weights.cache import sha256_of
from reidzoo.zoo.index import read_index
from reidzoo.zoo.index_entry import IndexEntry

__all__ = ["render_page"]

_BASELINES = "Baselines"
_HEAD = """\
<!-- Written by tools/build_model_zoo.py from zoo/*.yml, reidzoo/zoo/index*.yml and results.yml files; do not edit. -->
# Model zoo

A model is loaded by its name, with the preprocessing that it was trained with:

```
python -c 'import reidzoo; print(reidzoo.load("NAME").embed("person.jpg"))'
reidzoo test --weights zoo://NAME
reidzoo extract --weights NAME FOLDER --output-dir features
```

`zoo://NAME` stands wherever weights are named, such as `MODEL.WEIGHTS` and `BACKBONE.pretrained`. Figures are percent.
For real images take a [published model](#published-by-others), as it is or [fine-tuned](docs/fine_tune.md) on your own;
[ours](#ours-on-rendered-twins) are small, for trying things out; [ImageNet's weights](#imagenets-weights) are what a
training starts from.
"""
_OURS = """\
## Ours, on rendered twins

Small models that the repository keeps under `zoo/`, each beside a sidecar with its origin. *Twins* are drawings in the
layouts of the real datasets (`reidzoo render`): these figures say nothing about the real ones. They are what the
kept file gives when it is loaded and tested; its mAP is the run's to 0.1.
"""
_THEIRS = """\
## Published by others

Weights that the authors of papers and toolkits have published. They are downloaded when first used, checked, and
converted. The figures are those that the named source states, on the real datasets; they were not measured here.
"""
_IMAGENET = """\
## ImageNet's weights

Backbones that know the classes of ImageNet and no people yet. `BACKBONE.pretrained: imagenet` takes the one that fits.
"""


def render_page(repository: Path) -> str:
    """Return the text of ``model_zoo.md``.

    Raises:
        UserError: a sidecar, its file and its index entry do not say the same.
    """
    entries: dict[str, IndexEntry] = {}
    for path in [*repository.glob("zoo/index.yml"), *sorted(repository.glob("reidzoo/zoo/index*.yml"))]:
        entries |= read_index(path)[1]
    sidecars = {
        path.stem: yaml.safe_load(path.read_text("utf-8"))
        for path in sorted((repository / "zoo").glob("*.yml"))
        if path.stem != "index"
    }
    _check(repository, sidecars, entries)
    published = [entry for entry in entries.values() if entry.convert]
    backbones = [entry for entry in published if entry.data.startswith("ImageNet")]
    parts = [_HEAD, *_published(_THEIRS, [entry for entry in published if entry not in backbones])]
    recorded = _recorded(repository, sidecars.values())
    owners = {name: _owner(sidecar["config"]) for name, sidecar in sidecars.items()}
    projects = sorted({*owners.values(), *recorded}, key=lambda name: (name == _BASELINES, name.lower()))
    if projects:
        parts.append(_OURS)
    for project in projects:
        project_sidecars = [sidecar for name, sidecar in sidecars.items() if owners[name] == project]
        parts.append(_section(project, project_sidecars, recorded.get(project, [])))
    return "\n".join([*parts, *_published(_IMAGENET, backbones)])


def _check(repository: Path, sidecars: Mapping[str, Mapping], entries: Mapping[str, IndexEntry]) -> None:
    for name, sidecar in sidecars.items():
        file = repository / "zoo" / f"{name}.safetensors"
        digest = sha256_of(file) if file.is_file() else "no file"
        listed = entries[name].sha256 if name in entries else "no entry"
        if not sidecar["sha256"] == digest == listed:
            raise UserError(
                f"zoo/{name}.yml says sha256 {sidecar['sha256'][:12]}, the file next to it has {digest[:12]}, the "
                f"index says {listed[:12] if listed else 'nothing'}; export the model again with `reidzoo export`"
            )
    files = {path.stem for path in (repository / "zoo").glob("*.safetensors")}
    if alone := sorted(files - set(sidecars)):
        raise UserError(f"zoo/{alone[0]}.safetensors has no sidecar {alone[0]}.yml; export it with `reidzoo export`")


def _owner(config: str | None) -> str:
    parts = Path(config or "").parts
    return parts[1] if len(parts) > 2 and parts[0] == "projects" else _BASELINES


def _recorded(repository: Path, sidecars: Iterable[Mapping]) -> dict[str, list[tuple[str, str, Mapping]]]:
    """Return project -> (command, stage, figures) of the recorded runs without a kept model of their last stage."""
    kept_runs = {(_command(sidecar["command"]), sidecar["stage"]) for sidecar in sidecars}
    recorded: dict[str, list] = {}
    for path in [*sorted(repository.glob("projects/*/results.yml")), repository / "configs" / "results.yml"]:
        owner = path.parent.name if path.parent.parent.name == "projects" else _BASELINES
        for run in (yaml.safe_load(path.read_text("utf-8")) if path.is_file() else {}).values():
            stage, results = list(run["results"].items())[-1]
            command = _command(run["command"])
            if (command, stage) not in kept_runs:
                recorded.setdefault(owner, []).append((command_line({**run, "command": command}), stage, results))
    return recorded


def _command(command: str) -> str:
    """Return a command without the options that do not change the result."""
    words = [word for word in command.split() if word != "--resume"]
    for word in ("--output-dir", "OUTPUT_DIR", "DEVICE"):
        while word in words[:-1]:
            position = words.index(word)
            del words[position : position + 2]
    return " ".join(words)


def _section(project: str, sidecars: list[Mapping], recorded: list[tuple[str, str, Mapping]]) -> str:
    title = project if project == _BASELINES else f"[{project}](projects/{project}/README.md)"
    parts = [f"### {title}\n"]
    if sidecars:
        head = ["name", "backbone", "trained on", "tested on", "mAP", "rank-1", "size", "configuration"]
        rows = [row for sidecar in sidecars for row in _rows(sidecar)]
        origins = "\n".join(_origin(sidecar) for sidecar in sidecars)
        parts += [_table(rows, head) + "\n", f"{origins}\n"]
    if recorded:
        rows = [
            [f"`{command}`" * first, stage * first, target, *_figures(figures)]
            for command, stage, results in recorded
            for first, (target, figures) in _tested(results)
        ]
        head = ["run on record, whose model is not kept", "stage", "tested on", "mAP", "rank-1"]
        parts.append(_table(rows, head) + "\n")
    return "\n".join(parts)


def _rows(sidecar: Mapping) -> list[list[str]]:
    config = f"[{sidecar['config']}]({sidecar['config']})" if sidecar["config"] else ""
    stage = f", {sidecar['stage']}" if sidecar["stage"] != "train" else ""
    return [
        [
            f"**{sidecar['name']}**" * first,
            sidecar["backbone"] * first,
            sidecar["data"] * first,
            target,
            *_figures(figures),
            f"{sidecar['size'] / 1e6:.1f} MB" * first,
            f"{config}{stage}" * first,
        ]
        for first, (target, figures) in _tested(sidecar["kept_metrics"])
    ]


def _tested(results: Mapping[str, Mapping]) -> list[tuple[bool, tuple[str, Mapping]]]:
    """Return (whether it is the first, (target, figures)) of each dataset that was tested on."""
    targets = list(target_figures(results).items())
    return [(number == 0, target) for number, target in enumerate(targets)]


def _figures(figures: Mapping[str, float]) -> list[str]:
    return [f"{100 * figures[key]:.1f}" if key in figures else "" for key in ("mAP", "rank-1")]


def _origin(sidecar: Mapping) -> str:
    """Return the line that says how a model is loaded and how it was made."""
    uncommitted = sidecar["uncommitted"]
    notes = {"none": "", "unknown": " (whether with uncommitted changes is unknown)"}
    dirty = notes.get(uncommitted, f" with uncommitted changes of {uncommitted}")
    return (
        f'* `reidzoo.load("{sidecar["name"]}")`; {sidecar["dtype"]}; seed {sidecar["seed"]}, commit '
        f"{sidecar['commit'][:7]}{dirty}: `{sidecar['command']}`"
    )


def _published(introduction: str, entries: list[IndexEntry]) -> list[str]:
    """Return the section of models of others, or nothing where there are none."""
    rows = []
    for entry in entries:
        figures = "; ".join(
            f"{target}: {', '.join(f'{key} {100 * value:.1f}' for key, value in values.items())}"
            for target, values in entry.metrics.items()
        )
        config = f"[{entry.config}]({entry.config})" if entry.config else ""
        load = f'`reidzoo.load("{entry.name}")`'
        rows.append(
            [f"**{entry.name}**", entry.data, figures or "none stated", entry.source, entry.licence, config, load]
        )
    head = ["name", "trained on", "figures", "stated where", "licence", "configuration", "load"]
    return [f"{introduction}\n{_table(rows, head)}\n"] if rows else []


def _table(rows: list[list[Any]], head: list[str]) -> str:
    escaped = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return tabulate(escaped, head, tablefmt="pipe", disable_numparse=True)
