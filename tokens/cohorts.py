"""Cohorts: at least five households each, so that what is published tells of no single one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

FEWEST_HOUSEHOLDS = 5


class TooFewHouseholds(Exception):
    """The site has fewer households than a cohort needs; nothing of it can be published."""


def place(*, households: Iterable[int], members: Mapping[int, int]) -> dict[int, int]:
    """Return the cohort's number for each household that has none yet.

    households are ids; members says how many each cohort has. While five are without, five of them
    in the order of their ids make a new cohort; those that are left join the cohorts with the
    fewest members. Raises TooFewHouseholds where there is no cohort to join.
    """
    counted = dict(members)
    waiting = sorted(households)
    placed: dict[int, int] = {}
    while len(waiting) >= FEWEST_HOUSEHOLDS:
        number = max(counted, default=0) + 1
        counted[number] = FEWEST_HOUSEHOLDS
        placed |= dict.fromkeys(waiting[:FEWEST_HOUSEHOLDS], number)
        waiting = waiting[FEWEST_HOUSEHOLDS:]
    for household in waiting:
        if not counted:
            raise TooFewHouseholds(
                f"{len(waiting)} households are fewer than the {FEWEST_HOUSEHOLDS} of a cohort"
            )
        number = min(counted, key=lambda each: (counted[each], each))
        counted[number] += 1
        placed[household] = number
    return placed
