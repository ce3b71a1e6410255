"""Shapes of a site's map: what they may be. Coordinates are metres east and north of the site's
origin, where its container stands."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

FARTHEST_METRES = 50_000
MOST_SHAPES = 100
MOST_POINTS = 2_000
FEWEST_POINTS = {"outline": 3, "water": 3, "river": 2, "road": 2, "path": 2, "container": 1}
"""Kinds of shapes, in the order in which they are drawn, and how many points each takes."""


def wrong_with(shapes: Any) -> None:
    """Refuse what is no map; raises ValidationError that names the shape, counted from 1."""
    if not isinstance(shapes, list):
        raise ValidationError("Write a list of shapes: [] draws none.")
    if len(shapes) > MOST_SHAPES:
        raise ValidationError(f"A map has {MOST_SHAPES} shapes at most; these are {len(shapes)}.")
    points = 0
    for number, shape in enumerate(shapes, start=1):
        points += _points_of(shape, name=f"Shape {number}")
    if points > MOST_POINTS:
        raise ValidationError(f"A map has {MOST_POINTS} points at most; these are {points}.")


def _points_of(shape: Any, *, name: str) -> int:
    """How many points a shape has; raises ValidationError where it is none."""
    if not isinstance(shape, dict) or set(shape) != {"kind", "points"}:
        raise ValidationError(f"{name} has to have a kind and points, and nothing else.")
    kind, points = shape["kind"], shape["points"]
    if not isinstance(kind, str) or kind not in FEWEST_POINTS:
        raise ValidationError(f"{name}: there are the kinds {', '.join(FEWEST_POINTS)}.")
    if not isinstance(points, list) or len(points) < FEWEST_POINTS[kind]:
        raise ValidationError(f"{name}: a {kind} takes {FEWEST_POINTS[kind]} points or more.")
    for point in points:
        if (
            not isinstance(point, list)
            or len(point) != 2
            or not all(type(metres) is int and abs(metres) <= FARTHEST_METRES for metres in point)
        ):
            raise ValidationError(
                f"{name}: a point is [metres east, metres north], whole numbers within"
                f" {FARTHEST_METRES} of the container."
            )
    return len(points)
