"""Which database role does what."""

from __future__ import annotations

from typing import Any


class OwnerMigrates:
    """Schema changes go through the owner role only; queries go through the app role."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "owner"
