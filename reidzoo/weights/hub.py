"""Files of repositories on the Hugging Face hub, through its own client."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from reidzoo.needs import need
from reidzoo.weights.download import TransferError

__all__ = ["HUB", "from_hub"]

HUB = "hf:"
"""The beginning of ``hf:OWNER/NAME/FILE``, or ``hf:OWNER/NAME@REVISION/FILE``: a file of a hub's repository."""
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ADDRESS = re.compile(rf"({_NAME}/{_NAME})(?:@({_NAME}))?/((?:{_NAME}/)*{_NAME})")


def from_hub(place: str, part: Path) -> bool:
    """Download a file of the hub to ``part``, with the token that ``hf auth login`` has stored, if any.

    The environment's ``HF_ENDPOINT`` names another hub than the public one.

    Args:
        place: ``OWNER/NAME/FILE`` or ``OWNER/NAME@REVISION/FILE``; a revision is a branch, a tag or a commit.
        part: where it goes.

    Returns:
        False: the client continues what it has begun itself, and checks what it continues.

    Raises:
        TransferError: the hub did not give it, its client is not installed, or ``place`` is not of this form.
    """
    match = _ADDRESS.fullmatch(place)
    if match is None:
        raise TransferError("a file of the hub is hf:OWNER/NAME/FILE, or hf:OWNER/NAME@REVISION/FILE for one revision")
    repository, revision, file = match.groups()
    folder = part.with_name(f"{part.name}.hub")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        client = need("huggingface_hub", "hub", error_type=TransferError)
        got = client.hf_hub_download(repository, file, revision=revision, local_dir=folder, endpoint=endpoint)
        os.replace(got, part)
    except TransferError:
        raise
    # The client raises its own errors and those of httpx, requests and the system, and all mean the same here.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise TransferError(f"{type(error).__name__}: {reason}"[:300]) from error
    shutil.rmtree(folder, ignore_errors=True)
    return False
