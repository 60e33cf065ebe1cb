"""Writes the card of a model: what it was trained on, what it reaches, what it is for and what it is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yacs.config import CfgNode

__all__ = ["model_card"]

USE = """Finding images of the same person or vehicle again, across cameras or over time, by the cosine similarity of
embeddings: search in a gallery, re-association of tracks."""
LIMITS = """\
- It says how alike two images look, not who somebody is; a similarity is no proof of identity, and no decision
  about a person should rest on it alone.
- The figures hold for the datasets named above. On other cameras, other clothes and other people they are lower,
  often by far; measure on images of your own before you rely on it.
- Where the sizes of crops, the detector or the resizing differ from training, the embeddings differ too."""


def model_card(sidecar: Mapping[str, Any], cfg: CfgNode) -> str:
    """Return the Markdown of a kept model's card, with the facts at its head that a hub reads.

    Args:
        sidecar: what ``export_model`` returns.
        cfg: the run's configuration.
    """
    size = " x ".join(map(str, cfg.INPUT.SIZE))
    own = f", own code {sidecar['code_version']}" if sidecar.get("code_version") else ""
    rows = [
        ("backbone", sidecar["backbone"]),
        ("trained on", sidecar["data"]),
        *_start(cfg),
        ("images", f"{size} (height x width), {cfg.INPUT.INTERPOLATION}, mean {list(cfg.INPUT.MEAN)}, "
                   f"std {list(cfg.INPUT.STD)}"),
        ("numbers", f"{sidecar['dtype']}, {sidecar['size']:,} bytes, sha256 {sidecar['sha256']}"),
        ("command", f"`{sidecar['command']}`, seed {sidecar['seed']}"),
        ("code", f"reidzoo {sidecar['versions']['reidzoo']}, commit {sidecar['commit']}{own}"),
        ("licence", sidecar["licence"]),
    ]  # fmt: skip
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)])
    head = "---\nlibrary_name: reidzoo\ntags: [re-identification, image-feature-extraction]\n"
    if sidecar["licence"] != "not stated":
        head += f"license: {_tag(sidecar['licence'])}\n"
    file = f"{sidecar['name']}.safetensors"
    return "\n\n".join(
        [
            f"{head}---\n\n# {sidecar['name']}",
            f'```python\nimport reidzoo\n\nfeatures = reidzoo.load("{file}").embed(["a.jpg", "b.jpg"])\n```',
            table,
            f"## Figures\n\n{_figures(sidecar)}",
            f"## Intended use\n\n{USE}",
            f"## Limits\n\n{LIMITS}\n",
        ]
    )


def _start(cfg: CfgNode) -> list[tuple[str, str]]:
    """Return a row of the weights of other people that training began with, whose licence holds, too."""
    start = cfg.BACKBONE.get("pretrained")
    told = isinstance(start, str) and start and not start.startswith("stage:")
    return [("began with", f"`{start}`")] if told else []


def _tag(licence: str) -> str:
    """Return a licence as hubs write it."""
    return licence.lower().replace(" ", "-")


def _figures(sidecar: Mapping[str, Any]) -> str:
    """Return the table of the kept file's figures in percent, with their intervals where they are known."""
    lines = ["| tested on | mAP | rank-1 | queries |", "|---|---|---|---|"]
    for target, figures in sidecar["kept_metrics"].items():
        intervals = sidecar.get("intervals", {}).get(target, {})
        shown = [_percent(figures[key], intervals.get(key)) for key in ("mAP", "rank-1")]
        lines.append(f"| {target} | {shown[0]} | {shown[1]} | {intervals.get('queries', '')} |")
    note = (
        "Percent; in brackets 95 % intervals over the test's people (mAP, bootstrap) and queries (rank-1, Wilson). "
        "They say nothing about other data, nor about other seeds."
    )
    return "\n".join([*lines, "", note])


def _percent(value: float, interval: list[float] | None) -> str:
    text = f"{100 * value:.1f}"
    return f"{text} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else text
