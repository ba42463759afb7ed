"""A column of JSON that keeps the text as it came: every digit, zero and spelling, and the order of the names."""

from __future__ import annotations

from typing import Any

from django.db import models


class ExactJSONField(models.JSONField):
    """PostgreSQL's `json`. Python gets values, whose numbers are floats; `body::text` has what came.

    Migrations name Django's own field: the column is made by their SQL, and nothing of ours may run in them.
    """

    def db_type(self, connection: Any) -> str:
        return "json"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value  # psycopg has read it already; jsonb alone is handed to Django as text

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs
