"""Model fields: wei as Python int, UUIDv7 identifiers."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import uuid_utils
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.forms import Field as FormField

if TYPE_CHECKING:
    IntegerLike = models.Field[int, int]
else:
    IntegerLike = models.Field


def uuid7() -> uuid.UUID:
    """Return a time-ordered UUID (RFC 9562 version 7) of the standard library's type."""
    return uuid.UUID(bytes=uuid_utils.uuid7().bytes)


class WeiField(IntegerLike):
    """An integer of 10**-18, kept in the PostgreSQL domain `wei` (whole numbers, |v| < 1e78)."""

    description = "integer of wei"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "wei"

    def from_db_value(
        self, value: Decimal | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> int | None:
        return None if value is None else int(value)

    def to_python(self, value: Any) -> int | None:
        if value is None or isinstance(value, int):
            return value
        whole = Decimal(str(value))
        if whole != int(whole):
            raise ValueError(f"{value!r} is not a whole number of wei")
        return int(whole)

    def get_prep_value(self, value: Any) -> Decimal | None:
        whole = self.to_python(super().get_prep_value(value))
        return None if whole is None else Decimal(whole)

    def formfield(self, **kwargs: Any) -> FormField | None:
        from django.forms import DecimalField  # noqa: PLC0415 - forms load only in the admin

        return DecimalField(**{"decimal_places": 0, "max_digits": 78, **_form_arguments(kwargs)})


def _form_arguments(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in kwargs.items() if key in {"label", "help_text", "required"}
    }
