"""Imports the packages that a configuration names under ``PLUGINS``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType

from reidzoo.errors import ConfigError, UserError

__all__ = ["import_plugin", "plugin_path"]

_one_at_a_time = threading.RLock()  # a module that another thread is still running has not registered its parts
_loaded: dict[str, Path] = {}  # module name -> the file it was loaded from, for plug-ins found by path


def import_plugin(entry: str, folder: Path, where: str) -> tuple[str, ModuleType]:
    """Import one plug-in: a package or module in a folder, or an installed one.

    Args:
        entry: an importable name (``my_losses``), looked up in ``folder`` first, or a path relative to ``folder``
            (``../SpCL/spcl``, ``./losses.py``), known by its slash.
        folder: the YAML's folder.
        where: the place that named it, for messages.

    Returns:
        How to name the plug-in from anywhere (an absolute path or the importable name), and its module.

    Raises:
        ConfigError: it is not there, it fails while it is imported, or another module already has its name.
    """
    folder = Path(os.path.abspath(folder))
    by_path, names = _is_path(entry), entry.split(".")
    if not by_path and not all(name.isidentifier() for name in names):
        raise ConfigError(f"{where}: plug-in {entry!r} is neither an importable name nor a path with a slash")
    try:
        with _one_at_a_time:
            if by_path or _source(folder, names[0]) is not None:
                return _import_from(Path(os.path.abspath(folder / entry)), where)
            return entry, _import_installed(entry, folder, where)
    except UserError:
        raise
    except Exception as error:
        raise ConfigError(f"{where}: plug-in {entry!r} failed while it was imported: {_explain(error)}") from error


def plugin_path(entry: str, folder: Path) -> Path | None:
    """Return the path that ``import_plugin`` would import, None for the name of an installed package."""
    folder = Path(os.path.abspath(folder))
    if _is_path(entry) or _source(folder, entry.split(".")[0]) is not None:
        return Path(os.path.abspath(folder / entry))
    return None


def _is_path(entry: str) -> bool:
    return "/" in entry or os.sep in entry or entry in (".", "..") or entry.endswith(".py")


def _source(folder: Path, name: str) -> Path | None:
    """Return the file to run for the top-level module ``name`` in ``folder``."""
    for path in (folder / name / "__init__.py", folder / f"{name}.py"):
        if path.is_file():
            return path.resolve()
    return None


def _import_from(path: Path, where: str) -> tuple[str, ModuleType]:
    dotted = path.name.removesuffix(".py")
    name = dotted.split(".")[0]
    source = _source(path.parent, name)
    if source is None or not all(part.isidentifier() for part in dotted.split(".")):
        raise ConfigError(f"{where}: no plug-in at {path}; expected a folder with an __init__.py, or a .py file")
    present = sys.modules.get(name)
    if present is not None or name in sys.stdlib_module_names:
        other = getattr(present, "__file__", None)
        if other is None or Path(other).resolve() != source:
            raise ConfigError(
                f"{where}: the plug-in {source} has the name of another module, {other or name}: "
                f"one process cannot hold two modules called {name!r}; rename the plug-in"
            )
    else:
        _load(name, source)
    return str(path.parent / dotted), importlib.import_module(dotted)


def _load(name: str, source: Path) -> None:
    """Run ``source`` as the top-level module ``name``, so that its classes pickle under that name."""
    package = source.name == "__init__.py"
    spec = importlib.util.spec_from_file_location(
        name, source, submodule_search_locations=[str(source.parent)] if package else None
    )
    if spec is None or spec.loader is None:
        raise ConfigError(f"PLUGINS: {source} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        for loaded in [key for key in sys.modules if key == name or key.startswith(name + ".")]:
            del sys.modules[loaded]
        raise
    _loaded[name] = source
    # Worker processes that are spawned, not forked, unpickle the plug-in's classes through sys.path.
    home = str(source.parent.parent if package else source.parent)
    if home not in sys.path:
        sys.path.append(home)


def _import_installed(entry: str, folder: Path, where: str) -> ModuleType:
    name = entry.split(".")[0]
    if name in _loaded:
        raise ConfigError(
            f"{where}: no plug-in {name!r} in {folder}, and this process holds another one from {_loaded[name]}; "
            f"to use that one, give its path"
        )
    try:
        return importlib.import_module(entry)
    except ModuleNotFoundError as error:
        if error.name is None or not (entry + ".").startswith(error.name + "."):
            raise
        raise ConfigError(f"{where}: no plug-in {entry!r}: not in {folder} and not installed") from None


def _explain(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}:{error.lineno})"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
