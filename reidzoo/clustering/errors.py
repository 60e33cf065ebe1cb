"""The error of this folder."""

from __future__ import annotations

from reidzoo.errors import UserError


class ClusteringError(UserError, ValueError):
    """Features, a graph, labels or settings that cannot be clustered. A ``ValueError``, and the user's to mend."""
