"""Parts of ADIN (Yuan et al., WACV 2020)."""

from __future__ import annotations

from adin.authors_rule import AuthorsRule

__all__ = ["AuthorsRule"]
