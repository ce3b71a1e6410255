"""Form parameters with nested keys: `line_items[0][price_data][currency]=usd`, `expand[]=a`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from sandbox.stripe.errors import ApiError, invalid

Tree = dict[str, Any]  # name -> text or Tree; a list is a Tree under "0", "1", ...
_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
MOST_METADATA = 50


def parse(pairs: Iterable[tuple[str, str]]) -> Tree:
    """Build the tree of a query or form; a later value of the same key replaces the earlier."""
    tree: Tree = {}
    for key, value in pairs:
        match = _KEY.fullmatch(key)
        if match is None:
            raise invalid(f"Invalid request key: {key}", param=None)
        names = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        node = tree
        for name in names[:-1]:
            child = node.setdefault(name or str(len(node)), {})
            if not isinstance(child, dict):
                raise invalid(f"Invalid object: {name}", param=match[1])
            node = child
        node[names[-1] or str(len(node))] = value
    return tree


class Params:
    """Reads a tree; `finish()` refuses what nobody read.

    Every reader answers None (or an empty list) for a parameter that was not given.
    """

    def __init__(self, tree: Tree, *, prefix: str = "") -> None:
        self._tree = tree
        self._prefix = prefix
        self._unread = set(tree)
        self._groups: list[Params] = []

    def name(self, name: str) -> str:
        """The parameter's full name, as errors show it."""
        return f"{self._prefix}[{name}]" if self._prefix else name

    def given(self, name: str) -> bool:
        """Whether the parameter was sent at all."""
        return name in self._tree

    def is_group(self, name: str) -> bool:
        """Whether parameters are nested under the name."""
        return isinstance(self._tree.get(name), dict)

    def _take(self, name: str) -> Any:
        self._unread.discard(name)
        return self._tree.get(name)

    def missing(self, name: str) -> ApiError:
        """The error for a parameter that is required."""
        full = self.name(name)
        return invalid(f"Missing required param: {full}.", param=full, code="parameter_missing")

    def text(
        self,
        name: str,
        *,
        longest: int = 5000,
        choices: Collection[str] | None = None,
        empty: bool = False,
    ) -> str | None:
        """A string; `empty` allows "", which unsets."""
        value, full = self._take(name), self.name(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid(f"Invalid string: {value}", param=full)
        if value == "" and not empty:
            raise invalid(
                f"You passed an empty string for '{full}'. We assume empty values are an attempt"
                f" to unset a parameter; however '{full}' cannot be unset. You should remove"
                f" '{full}' from your request or supply a non-empty value.",
                param=full,
                code="parameter_invalid_empty",
            )
        if len(value) > longest:
            raise invalid(
                f"Invalid string: {full} must be at most {longest} characters", param=full
            )
        if choices is not None and value not in choices:
            listed = ", ".join(sorted(choices))
            raise invalid(f"Invalid {full}: must be one of {listed}", param=full)
        return value

    def required(self, name: str, **rules: Any) -> str:
        """A string that must be given; rules as for `text`."""
        value = self.text(name, **rules)
        if value is None:
            raise self.missing(name)
        return value

    def integer(self, name: str, *, lowest: int = 0, highest: int = 10**12) -> int | None:
        """A whole number within bounds."""
        value, full = self._take(name), self.name(name)
        if value is None:
            return None
        if not isinstance(value, str) or _WHOLE.fullmatch(value) is None:
            raise invalid(f"Invalid integer: {value}", param=full, code="parameter_invalid_integer")
        number = int(value)
        if not lowest <= number <= highest:
            side = "greater" if number < lowest else "less"
            bound = lowest if number < lowest else highest
            raise invalid(
                f"This value must be {side} than or equal to {bound}.",
                param=full,
                code="parameter_invalid_integer",
            )
        return number

    def flag(self, name: str) -> bool | None:
        """`true` or `false`."""
        value = self.text(name, choices=("true", "false"))
        return None if value is None else value == "true"

    def group(self, name: str) -> Params | None:
        """The parameters nested under a name."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise invalid("Invalid object", param=self.name(name))
        group = Params(value, prefix=self.name(name))
        self._groups.append(group)
        return group

    def rows(self, name: str) -> list[Params]:
        """A list of nested parameters, in order."""
        group = self.group(name)
        if group is None:
            return []
        found = [group.group(index) for index in sorted(group._tree, key=_position)]
        return [row for row in found if row is not None]

    def texts(self, name: str) -> list[str]:
        """A list of strings, in order."""
        group = self.group(name)
        if group is None:
            return []
        found = [group.text(index) for index in sorted(group._tree, key=_position)]
        return [text for text in found if text is not None]

    def metadata(self, *, before: dict[str, str] | None = None) -> dict[str, str]:
        """`metadata` merged over what was there; an empty value removes its key, "" all keys."""
        merged = dict(before or {})
        if self._tree.get("metadata") == "":
            self._unread.discard("metadata")
            return {}
        group = self.group("metadata")
        if group is None:
            return merged
        for key in sorted(group._tree):
            if len(key) > 40:
                raise invalid(f"Metadata keys are at most 40 characters: {key}", param="metadata")
            value = group.text(key, longest=500, empty=True)
            if value:
                merged[key] = value
            else:
                merged.pop(key, None)
        if len(merged) > MOST_METADATA:
            raise invalid(f"Metadata can have up to {MOST_METADATA} keys", param="metadata")
        return merged

    def ignore(self, *names: str) -> None:
        """Take parameters that change nothing here, whatever they hold."""
        self._unread.difference_update(names)

    def finish(self) -> None:
        """Refuse parameters, nested ones too, that nobody read."""
        for name in sorted(self._unread):
            full = self.name(name)
            raise invalid(
                f"Received unknown parameter: {full}", param=full, code="parameter_unknown"
            )
        for group in self._groups:
            group.finish()


def _position(index: str) -> int:
    return int(index) if _WHOLE.fullmatch(index) else 10**9
