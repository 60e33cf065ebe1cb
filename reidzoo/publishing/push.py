"""Copies a model file with its card into a folder or a Hugging Face repository."""

from __future__ import annotations

import glob
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml

from reidzoo.errors import UserError
from reidzoo.files import write_text, write_whole
from reidzoo.needs import need
from reidzoo.weights.model_file import read_header

__all__ = ["SCHEME", "Hub", "files_of", "open_hub", "push_to_folder", "push_to_hub"]

SCHEME = "hf://"


class Hub(Protocol):
    """The methods of ``huggingface_hub.HfApi`` that are called."""

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> Any:
        """Make a repository."""

    def upload_file(self, *, path_or_fileobj: str, path_in_repo: str, repo_id: str, repo_type: str) -> Any:
        """Write one file of it."""


def files_of(model: Path) -> list[Path]:
    """Return the model file and what lies beside it under its name: sidecar, card, exported graphs and reports.

    Raises:
        UserError: it is not a model file, or has no card.
    """
    read_header(model)  # says itself what is wrong
    card = model.with_suffix(".md")
    if not card.is_file():
        raise UserError(
            f"{model} has no card {card.name} beside it; `reidzoo export RUN --name {model.stem} --output-dir DIR` "
            f"writes both, or write one: what it was trained on, what it reaches, what it is for"
        )
    beside = [path for path in sorted(model.parent.glob(f"{glob.escape(model.stem)}.*")) if path.is_file()]
    return [model, *(path for path in beside if path != model)]


def push_to_folder(files: Sequence[Path], folder: Path) -> list[Path]:
    """Copy the files into a folder, each whole or not at all; the card is also its ``README.md``."""
    written = []
    for path in files:
        target = folder / path.name
        with open(path, "rb") as source, write_whole(target) as file:
            shutil.copyfileobj(source, file)
        written.append(target)
        if path.suffix == ".md":
            write_text(folder / "README.md", path.read_text(encoding="utf-8"))
            written.append(folder / "README.md")
    return written


def open_hub() -> Hub:
    """Return the client of the Hugging Face hub, with the token that ``hf auth login`` has stored.

    Raises:
        UserError: its package is not installed.
    """
    return need("huggingface_hub", "hub", "a push to a hub").HfApi()


def push_to_hub(files: Sequence[Path], repository: str, hub: Hub, private: bool = False) -> list[str]:
    """Upload the files to a repository ``OWNER/NAME``, which is made if it is not there; the model file comes last.

    Args:
        files: as ``files_of`` returns them.
        repository: ``OWNER/NAME``.
        hub: the client.
        private: whether a new repository is private.

    Returns:
        The names in the repository.

    Raises:
        UserError: the name is wrong, a licence is missing, or the hub refuses.
    """
    owner, slash, name = repository.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise UserError(f"a Hugging Face repository is called OWNER/NAME, got {repository!r}")
    if not private and _licence(files[0]) == "not stated":
        raise UserError(
            f"{files[0].name} states no licence, and a public repository without one is of no use to others; export it "
            f"with --licence, or push with --private"
        )
    names = []
    try:
        hub.create_repo(repository, repo_type="model", private=private, exist_ok=True)
        for path in [*files[1:], files[0]]:
            target = "README.md" if path.suffix == ".md" else path.name
            hub.upload_file(path_or_fileobj=str(path), path_in_repo=target, repo_id=repository, repo_type="model")
            names.append(target)
    except UserError:
        raise
    except Exception as error:  # the client has errors of its own, of the network, of tokens
        raise UserError(f"the hub did not take {repository} ({type(error).__name__}: {error})") from None
    return names


def _licence(model: Path) -> str:
    sidecar = model.with_suffix(".yml")
    if sidecar.is_file():
        return str((yaml.safe_load(sidecar.read_text(encoding="utf-8")) or {}).get("licence", "not stated"))
    return str(read_header(model).info.get("licence", "not stated"))
