"""Merges marked trees into one configuration, and checks every key on the way.

*Case tells the owner.* UPPER keys are declared, so an unknown one or a wrong type is an error. Lower-case keys in a
free node are arguments of the class that ``type`` names, which checks them when it is built.

How a tree changes what is there:

* a mapping merges into the mapping, except that a new ``type`` in a free node replaces the node's lower-case entries;
* ``null`` deletes an entry of a named dict, and all entries where it stands for the whole of a free UPPER node; among
  the arguments of a ``type`` it is an argument, None;
* ``_REPLACE_: true`` in a mapping replaces the free nodes that it gives, instead of merging into them;
* a list, a number, a string replace what was there;
* entries keep their order, new ones come last; but a mapping that names every entry there was, or replaces them by
  ``_REPLACE_``, gives its own order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yacs.config import CfgNode

from reidzoo.checks import Rule, show
from reidzoo.config.defaults import NAMED_ENTRIES, PLAIN_ENTRIES, free, get_cfg
from reidzoo.config.keys import lookup, nearest_key
from reidzoo.config.values import declared_value, plain_value
from reidzoo.errors import ConfigError
from reidzoo.suggest import closest
from reidzoo.yaml_check import TYPES, check_value, mistake, show_value
from reidzoo.yaml_marks import Marked

__all__ = ["REPLACE", "Merge", "check_taken"]

REPLACE = "_REPLACE_"

_CORE = get_cfg()
_REGISTERED = Rule("a registered name", TYPES[str].accepts)


class Merge:
    """Builds one configuration by merging trees into it.

    Attributes:
        config: the merged configuration, mutable.
        errors: entries that ``override`` did not find here, by path.
        applied: paths that ``override`` has set here.
    """

    def __init__(self, config: CfgNode, declared: CfgNode, prefix: str = "") -> None:
        self.config, self.declared, self.prefix = config, declared, prefix
        self.errors: dict[str, ConfigError] = {}
        self.applied: set[str] = set()
        self._origins: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._overriding = False

    def fork(self, prefix: str) -> Merge:
        """Return an independent copy; ``prefix`` stands before its keys in messages."""
        other = Merge(self.config.clone(), self.declared, prefix)
        other._origins = dict(self._origins)
        return other

    def add(self, tree: Marked, inside: bool = False) -> None:
        """Merge the tree of a file; ``inside``: ``config`` holds arguments of a ``type`` further up.

        Raises:
            ConfigError: an unknown key, a wrong type, or a deletion of what is not there.
        """
        self._overriding = False
        self._merge(self.config, self.declared, tree.value, "", False, inside)

    def override(self, tree: Marked) -> None:
        """Merge a tree that applies to several configurations at once, such as an overlay to all stages.

        An entry that is not in this one lands in ``errors`` instead; an entry that this one deleted stays deleted.

        Raises:
            ConfigError: an unknown key or a wrong type.
        """
        self._overriding = True
        self.errors, self.applied = {}, set()
        self._merge(self.config, self.declared, tree.value, "", False, False)

    def check_nodes(self) -> None:
        """Check that every entry of the framework's free nodes has a ``type``, itself or in its own entries.

        Raises:
            ConfigError: one has not, or a plain value stands where it may, but is none that is taken there.
        """
        for path, node in _free_nodes(_CORE, self.config):
            if path in NAMED_ENTRIES:
                self._check_names(node, path)
            self._check_node(node, path, path in PLAIN_ENTRIES)

    def _check_names(self, node: CfgNode, path: str) -> None:
        """Check a node that gives names to entries: it has no ``type`` itself, and plain values are right."""
        if "type" in node:
            where, name = self._origin(f"{path}.type"), self._name(path)
            raise ConfigError(f"{where}: {name} has no type of its own; it gives a name to each entry, {name}.NAME")
        for key, entry in node.items():
            full, rule = f"{path}.{key}", PLAIN_ENTRIES.get(path)
            if rule and not rule.accepts(entry):
                shown = show(dict(entry) if isinstance(entry, CfgNode) else entry)
                message = f"expected {rule.expected}; got {shown}"
                raise ConfigError(f"{self._origin(full)}: {self._name(full)}: {message}")

    def _merge(
        self, target: CfgNode, declared: CfgNode | None, tree: dict[str, Marked], path: str, replace: bool, inside: bool
    ) -> None:
        """Merge ``tree`` into ``target``; ``inside``: these are arguments of a ``type`` further up."""
        entries = dict(tree)
        if REPLACE in entries:
            replace = self._flag(entries.pop(REPLACE), path) or replace
        loose = _is_free(declared)
        before = [key for key in target if not _owned(declared, key)] if loose else []
        if loose and (replace or self._changes_type(target, entries, path, inside)):
            for key in before:
                del target[key]
        if replace:
            before = []
        typed = inside or (loose and ("type" in entries or "type" in target))
        for key, child in entries.items():
            full = f"{path}.{key}" if path else key
            if self._overriding and full in self._deleted:
                self._keep_deleted(child, full)
                continue
            if declared is not None and _owned(declared, key):
                self._set_declared(target, declared[key], key, child, full, replace)
            elif loose and (inside or not key.isupper()):
                self._set_entry(target, key, child, full, replace, typed)
            else:
                raise self._unknown(child, full, target)
        if loose:
            _order(target, list(entries) if set(before) <= set(entries) else before)

    def _set_declared(
        self,
        target: CfgNode,
        default: Any,
        key: str,
        child: Marked,
        full: str,
        replace: bool,
    ) -> None:
        if not isinstance(default, CfgNode):
            target[key] = declared_value(child, default, full, self.prefix)
        elif child.value is None and _is_free(default) and not any(_owned(default, name) for name in default):
            target[key].clear()
            self._deleted.add(full)
        else:
            check_value(child, TYPES[dict], self._name(full))
            self._merge(target[key], default, child.value, full, replace, False)
        self._note(child, full)

    def _set_entry(self, target: CfgNode, key: str, child: Marked, full: str, replace: bool, typed: bool) -> None:
        if child.value is None and not typed:
            self._delete(target, key, child, full, replace)
            return
        if self._overriding and not typed and self._is_new(target, key, child, full):
            self.errors[full] = self._error(
                child, full, f"no such entry, and a new one needs a type{self._entry_hint(target, full)}"
            )
            return
        if isinstance(child.value, dict):
            current = target.get(key)
            node = current if isinstance(current, CfgNode) else free()
            self._merge(node, None, child.value, full, replace, typed)
            target[key] = node
        else:
            target[key] = plain_value(child, self._name(full))
        self._deleted.discard(full)
        self._note(child, full)

    def _delete(self, target: CfgNode, key: str, child: Marked, full: str, replace: bool) -> None:
        if key in target:
            del target[key]
            self._deleted.add(full)
            self.applied.add(full)
        elif not replace:
            hint = self._entry_hint(target, full)
            error = self._error(child, full, f"null deletes an entry, and there is none of this name{hint}")
            if not self._overriding:
                raise error
            self.errors[full] = error

    def _keep_deleted(self, child: Marked, full: str) -> None:
        if child.value is None:
            self.applied.add(full)
        else:
            self.errors[full] = self._error(child, full, "the stage deletes this entry")

    def _is_new(self, target: CfgNode, key: str, child: Marked, full: str) -> bool:
        """Return whether an override names an entry that is not there, without a ``type`` to create it."""
        parent = full.rpartition(".")[0]
        if parent in PLAIN_ENTRIES or lookup(_CORE, parent.split(".")[0]) is None:
            return False
        current = target.get(key)
        return not isinstance(current, CfgNode) and not (isinstance(child.value, dict) and _has_type(child.value))

    def _changes_type(self, target: CfgNode, entries: dict[str, Marked], path: str, inside: bool) -> bool:
        if "type" not in entries:
            return False
        new = entries["type"]
        if not inside:
            check_value(new, _REGISTERED, self._name(f"{path}.type"))
        return "type" in target and target["type"] != new.value

    def _flag(self, marked: Marked, path: str) -> bool:
        return check_value(marked, TYPES[bool], self._name(f"{path}.{REPLACE}" if path else REPLACE))

    def _check_node(self, node: CfgNode, path: str, plain: bool) -> None:
        for key, entry in node.items():
            if "type" in node or key.isupper():
                continue
            full = f"{path}.{key}"
            if isinstance(entry, CfgNode) and entry:
                self._check_node(entry, full, False)
            elif isinstance(entry, CfgNode) or not plain:
                got = "{}" if isinstance(entry, CfgNode) else show_value(entry)
                raise ConfigError(
                    f"{self._origin(full)}: {self._name(path)} has no type, so {self._name(full)} "
                    f"must be a mapping with one; got {got}"
                )

    def _note(self, child: Marked, full: str) -> None:
        self._origins[full] = child.where
        self.applied.add(full)

    def _origin(self, full: str) -> str:
        while full and full not in self._origins:
            full = full.rpartition(".")[0]
        return self._origins.get(full, "defaults")

    def _name(self, full: str) -> str:
        return self.prefix + full

    def _error(self, child: Marked, full: str, message: str) -> ConfigError:
        return mistake(child, self._name(full), message)

    def _entry_hint(self, target: CfgNode, full: str) -> str:
        section, _, key = full.rpartition(".")
        match = closest(key, list(target), 0.5)
        return f"; did you mean {self._name(section)}.{match}?" if match else ""

    def _unknown(self, child: Marked, full: str, target: CfgNode) -> ConfigError:
        section, _, key = full.rpartition(".")
        argument = f"{section}.{key.lower()}" if key != key.lower() and key.lower() in target else None
        suggested = argument or nearest_key(full, self.declared)
        siblings = lookup(self.declared, section)
        known = [name for name in siblings if name.isupper()] if isinstance(siblings, CfgNode) else []
        if suggested:
            hint = f"did you mean {self._name(suggested)}?"
        elif known:
            hint = f"{section or 'the top level'} has {', '.join(known)}"
        else:
            hint = f"names and arguments here are in lower case: {key.lower()}"
        return ConfigError(f"{child.where}: unknown key {self._name(full)}; {hint}")


def check_taken(merges: list[Merge], base: Merge) -> None:
    """Check that one of ``merges`` at least could take each entry of a tree, after ``Merge.override`` of each.

    Raises:
        ConfigError: none could take one; the error is that of ``base``, where it has one of its own.
    """
    applied = set().union(*(merge.applied for merge in merges))
    for merge in merges:
        for path, error in merge.errors.items():
            if path not in applied:
                raise base.errors.get(path, error)


def _is_free(declared: CfgNode | None) -> bool:
    return declared is None or declared.is_new_allowed()


def _owned(declared: CfgNode | None, key: str) -> bool:
    """Return whether ``key`` is declared in the node; the default entries of a free node are not."""
    return declared is not None and key in declared and (key.isupper() or not declared.is_new_allowed())


def _order(target: CfgNode, names: list[str]) -> None:
    """Order a free node: its type, its UPPER keys, then ``names``, then what else there is."""
    rank = {key: index for index, key in enumerate(names)}
    keys = sorted(target, key=lambda key: (key != "type", not key.isupper(), rank.get(key, len(rank))))
    for key in keys:
        target[key] = target.pop(key)


def _has_type(entries: dict[str, Marked]) -> bool:
    return "type" in entries or any(isinstance(e.value, dict) and _has_type(e.value) for e in entries.values())


def _free_nodes(declared: CfgNode, config: CfgNode, path: str = "") -> Iterator[tuple[str, CfgNode]]:
    for key, default in declared.items():
        if isinstance(default, CfgNode) and key.isupper():
            full = f"{path}.{key}" if path else key
            if default.is_new_allowed():
                yield full, config[key]
            else:
                yield from _free_nodes(default, config[key], full)
