"""Parts of ADIN (Yuan et al., WACV 2020)."""

from __future__ import annotations

from adin.alternation import Alternation
from adin.alternation_hook import AlternationHook
from adin.timeline import timeline_plot
from adin.validation import Validation

__all__ = ["Alternation", "AlternationHook", "Validation", "timeline_plot"]
