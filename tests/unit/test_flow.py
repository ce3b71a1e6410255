"""The picture of the flow: widths are as the sums are, and it adds up or is refused."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.flow import GAP, LABEL_HEIGHT, SCALE_HEIGHT, DoesNotAddUp, Link, Node, lay_out

WEI = 10**18


def node(key: str, column: int) -> Node:
    return Node(key=key, column=column, kind="pool")


def link(source: str, target: str, amount_wei: int) -> Link:
    return Link(source=source, target=target, amount_wei=amount_wei)


PLACES = [node("a", 0), node("b", 0), node("c", 1), node("x", 2), node("y", 2), node("z", 2)]
sums = st.integers(1, 10**30)


@given(first=sums, second=sums, share=st.fractions(0, 1))
def test_widths_are_to_each_other_as_the_sums_are(first: int, second: int, share: Fraction) -> None:
    total = first + second
    one = 1 + int((total - 2) * share)
    picture = lay_out(
        nodes=PLACES,
        links=[
            link("a", "c", first),
            link("b", "c", second),
            link("c", "x", one),
            link("c", "y", total - one),
        ],
    )

    assert len({band.height / band.link.amount_wei for band in picture.bands}) == 1
    came = sum(band.height for band in picture.bands if band.link.target == "c")
    went = sum(band.height for band in picture.bands if band.link.source == "c")
    assert came == went == SCALE_HEIGHT
    assert {bar.node.key: bar.amount_wei for bar in picture.bars} == {
        "a": first,
        "b": second,
        "c": total,
        "x": one,
        "y": total - one,
    }


def test_a_node_that_gives_another_sum_than_it_got_is_refused() -> None:
    with pytest.raises(DoesNotAddUp, match="c: 10 wei came, 9 wei went"):
        lay_out(nodes=PLACES, links=[link("a", "c", 10), link("c", "x", 9)])


@pytest.mark.parametrize("amount_wei", [0, -1])
def test_a_flow_of_nothing_is_refused(amount_wei: int) -> None:
    with pytest.raises(ValueError, match="nothing flows from a to c"):
        lay_out(nodes=PLACES, links=[link("a", "c", amount_wei)])


def test_a_flow_to_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="no node for the flow from a to nowhere"):
        lay_out(nodes=PLACES, links=[link("a", "nowhere", 1)])


def test_nodes_without_money_are_left_out() -> None:
    picture = lay_out(nodes=PLACES, links=[link("a", "c", WEI), link("c", "z", WEI)])

    assert [bar.node.key for bar in picture.bars] == ["a", "c", "z"]


def test_bands_touch_the_bars_they_join_and_do_not_overlap_there() -> None:
    picture = lay_out(
        nodes=PLACES,
        links=[
            link("a", "c", 3 * WEI),
            link("b", "c", WEI),
            link("c", "x", 2 * WEI),
            link("c", "y", 2 * WEI),
        ],
    )
    bars = {bar.node.key: bar for bar in picture.bars}
    ends = [_ends(band.path) for band in picture.bands]

    # Down the bar of c: first what a gave (3/4 of the height), then what b gave.
    top = float(bars["c"].top)
    assert ends[0] == (bars["a"].left + 10, bars["c"].left, float(bars["a"].top), top)
    assert ends[1][3] == top + SCALE_HEIGHT * 3 / 4
    assert ends[2][2] == top
    assert ends[3][2] == top + SCALE_HEIGHT / 2


def test_labels_of_thin_nodes_do_not_overlap() -> None:
    links = [link("a", "c", 10**6 + 2), link("c", "x", 10**6), link("c", "y", 1), link("c", "z", 1)]
    picture = lay_out(nodes=PLACES, links=links)
    tops = [float(bar.text_top) for bar in picture.bars if bar.node.column == 2]

    drawn_to_scale, *thin = [late - early for early, late in pairwise(tops)]
    assert drawn_to_scale > LABEL_HEIGHT
    assert thin == [LABEL_HEIGHT + GAP]
    assert all(top + 17 < picture.height for top in tops)


def test_nothing_at_all_is_an_empty_picture() -> None:
    assert lay_out(nodes=PLACES, links=[]).bars == ()


def _ends(path: str) -> tuple[float, float, float, float]:
    """Where a band starts and ends: x, x, y, y."""
    numbers = [float(each) for each in re.findall(r"-?[\d.]+", path)]
    return numbers[0], numbers[6], numbers[1], numbers[7]
