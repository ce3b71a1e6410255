"""SQL that lives in <app>/sql/<name>.sql and is installed by migrations."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db.migrations import RunSQL
from psycopg import sql


def run_sql(*, file: Path) -> RunSQL:
    """Return a migration step that runs the file; `{app_role}` in it becomes the app's role."""
    role = sql.Identifier(settings.DATABASE_APP_ROLE).as_string(None)
    statements = file.read_text(encoding="utf-8").replace("{app_role}", role)
    return RunSQL([(statements, None)], reverse_sql=RunSQL.noop)
