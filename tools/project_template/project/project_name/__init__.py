"""The parts that ProjectName adds."""

from __future__ import annotations

from project_name.project_name_loss import ProjectNameLoss

__all__ = ["ProjectNameLoss"]
