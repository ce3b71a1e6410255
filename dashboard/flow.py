"""A picture of money that flows through columns of nodes, as SVG geometry. Pure: integers in,
path strings out.

Everything is drawn to one scale, so that widths are to each other as the sums are. Where a
node takes in another sum than it gives, it is refused: the picture adds up or there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from accounts.money import decimal_string

WIDTH = 960
BAR = 10
SCALE_HEIGHT = 260
"""How high the whole sum is drawn."""
LABEL_HEIGHT = 38
"""Two lines of text beside each node, however thin it is."""
GAP = 6
LABEL_WIDTH = 190
"""What the last column keeps free on its right."""


class DoesNotAddUp(ValueError):
    """A node takes in another sum than it gives; says which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A place where money is, in a column from 0 on; kind names its colour."""

    key: str
    column: int
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """Money from one node to another one, in wei; above zero."""

    source: str
    target: str
    amount_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A node ready to draw: left, top and height of its bar, and where its label starts."""

    node: Node
    amount_wei: int
    left: int
    top: str
    height: str
    text_left: int
    text_top: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """A link ready to draw: its outline. height is its width on both ends, unrounded."""

    link: Link
    kind: str
    path: str
    height: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """All of it, in a box of WIDTH x height units."""

    height: int
    bars: tuple[Bar, ...]
    bands: tuple[Band, ...]


def lay_out(*, nodes: Sequence[Node], links: Sequence[Link]) -> Picture:
    """Place nodes in the order given, column by column, and draw their links to one scale.

    Nodes without a link are left out. Raises DoesNotAddUp, ValueError for a link of nothing or
    one to a node that there is not.
    """
    came, went = _sums(links, by_target=True), _sums(links, by_target=False)
    _check(nodes=nodes, links=links, came=came, went=went)
    drawn = [node for node in nodes if node.key in came or node.key in went]
    sums = {node.key: max(came.get(node.key, 0), went.get(node.key, 0)) for node in drawn}
    per_wei = Fraction(SCALE_HEIGHT, _most(drawn, sums) or 1)
    tops, height = _tops(drawn, sums=sums, per_wei=per_wei)
    lefts = _lefts(nodes)
    return Picture(
        height=height,
        bars=tuple(
            Bar(
                node=node,
                amount_wei=sums[node.key],
                left=lefts[node.column],
                top=_number(tops[node.key]),
                height=_number(max(sums[node.key] * per_wei, Fraction(1))),
                text_left=lefts[node.column] + BAR + 6,
                text_top=_number(tops[node.key] + 14),
            )
            for node in drawn
        ),
        bands=_bands(drawn, links=links, tops=tops, lefts=lefts, per_wei=per_wei),
    )


def _sums(links: Sequence[Link], *, by_target: bool) -> dict[str, int]:
    sums: dict[str, int] = {}
    for link in links:
        key = link.target if by_target else link.source
        sums[key] = sums.get(key, 0) + link.amount_wei
    return sums


def _check(
    *,
    nodes: Sequence[Node],
    links: Sequence[Link],
    came: Mapping[str, int],
    went: Mapping[str, int],
) -> None:
    known = {node.key for node in nodes}
    for link in links:
        if link.amount_wei <= 0:
            raise ValueError(f"nothing flows from {link.source} to {link.target}")
        if not {link.source, link.target} <= known:
            raise ValueError(f"no node for the flow from {link.source} to {link.target}")
    for key in came.keys() & went.keys():
        if came[key] != went[key]:
            raise DoesNotAddUp(f"{key}: {came[key]} wei came, {went[key]} wei went")


def _columns(drawn: Sequence[Node]) -> list[list[Node]]:
    ordered = sorted(drawn, key=lambda node: node.column)
    return [list(column) for _, column in groupby(ordered, key=lambda node: node.column)]


def _most(drawn: Sequence[Node], sums: Mapping[str, int]) -> int:
    """The sum of the fullest column."""
    columns = _columns(drawn)
    return max((sum(sums[node.key] for node in column) for column in columns), default=0)


def _tops(
    drawn: Sequence[Node], *, sums: Mapping[str, int], per_wei: Fraction
) -> tuple[dict[str, Fraction], int]:
    tops: dict[str, Fraction] = {}
    bottom = Fraction(0)
    for column in _columns(drawn):
        top = Fraction(GAP)
        for node in column:
            tops[node.key] = top
            top += max(sums[node.key] * per_wei, Fraction(LABEL_HEIGHT)) + GAP
        bottom = max(bottom, top)
    return tops, -int(-bottom // 1)


def _lefts(nodes: Sequence[Node]) -> list[int]:
    columns = max((node.column for node in nodes), default=0) + 1
    step = (WIDTH - BAR - LABEL_WIDTH) // max(columns - 1, 1)
    return [column * step for column in range(columns)]


def _bands(
    drawn: Sequence[Node],
    *,
    links: Sequence[Link],
    tops: Mapping[str, Fraction],
    lefts: Sequence[int],
    per_wei: Fraction,
) -> tuple[Band, ...]:
    """Links leave and reach a bar one below the other, in the order of the nodes at their ends."""
    by_key = {node.key: node for node in drawn}
    place = {node.key: number for number, node in enumerate(drawn)}
    leaves, reaches = dict(tops), dict(tops)
    bands = []
    for link in sorted(links, key=lambda each: (place[each.source], place[each.target])):
        height = link.amount_wei * per_wei
        source, target = by_key[link.source], by_key[link.target]
        path = _outline(
            start=(lefts[source.column] + BAR, leaves[link.source]),
            end=(lefts[target.column], reaches[link.target]),
            height=height,
        )
        leaves[link.source] += height
        reaches[link.target] += height
        kind = target.kind if target.column > 1 else source.kind
        bands.append(Band(link=link, kind=kind, path=path, height=height))
    return tuple(bands)


def _outline(*, start: tuple[int, Fraction], end: tuple[int, Fraction], height: Fraction) -> str:
    """A band of one height from a bar's right to another one's left."""
    (left, leaves), (right, reaches) = start, end
    middle = (left + right) // 2
    top, top_end, low, low_end = (
        _number(each) for each in (leaves, reaches, leaves + height, reaches + height)
    )
    return (
        f"M{left} {top}C{middle} {top} {middle} {top_end} {right} {top_end}"
        f"V{low_end}C{middle} {low_end} {middle} {low} {left} {low}z"
    )


def _number(value: Fraction) -> str:
    """Two decimals, without zeros at the end."""
    text = decimal_string(amount=round(value * 100), decimals=2)
    return text.rstrip("0").rstrip(".")
