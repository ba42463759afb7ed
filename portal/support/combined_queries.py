"""Rows of several models in one statement: for a page of many small lists, each of which would be a query of its own."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import QuerySet


def fetch_together(*querysets: QuerySet[Any]) -> list[list[Any]]:
    """The rows of each, in its order, as instances of its model without what it leaves out. One query.

    For querysets of plain rows: no annotations, nothing joined. Each needs an end (`[:n]`), as its rows come in one value.
    """
    columns: list[str] = []
    parameters: list[Any] = []
    for each in querysets:
        statement, values = each.query.sql_with_params()
        columns.append(f"(SELECT coalesce(json_agg(rows), '[]') FROM ({statement}) AS rows)")  # noqa: S608  # nosec B608  (of Django's own statements)
        parameters += values
    alias = querysets[0].db
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)}", parameters)  # nosec B608
        lists = cursor.fetchone()
    return [[_instance(each.model, row, alias) for row in rows] for each, rows in zip(querysets, lists, strict=True)]


def _instance(model: Any, row: dict[str, Any], alias: str) -> Any:
    # JSON writes times and ids as text.
    fields = [field for field in model._meta.concrete_fields if field.column in row]
    values = [field.to_python(row[field.column]) for field in fields]
    return model.from_db(alias, [field.attname for field in fields], values)
