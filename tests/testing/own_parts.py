"""The parts of the package, which all have to keep their contracts."""

from __future__ import annotations


def own_parts(registry):
    """Return the names of a registry's parts that are the package's."""
    registry.import_from_location()
    return {name for name, part in registry.module_dict.items() if part.__module__.startswith("reidzoo.")}
