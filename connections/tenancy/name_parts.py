"""Looks for a part of a name, without its accents: `name__has_part`. An index answers where the column has one.

The functions, and the index of each column, are made by migrations called `searched_names`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Lookup

if TYPE_CHECKING:
    TextLookup = Lookup[Any]
else:  # subscripted for the type checker only
    TextLookup = Lookup


class HasPart(TextLookup):
    """The column holds what is looked for, whatever the case, the accents and the spaces of both."""

    lookup_name = "has_part"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        column, column_values = self.process_lhs(compiler, connection)
        part, part_values = self.process_rhs(compiler, connection)
        # The index knows pairs and triples of letters, not whether they stand side by side.
        statement = (
            f"(portal_ngrams({column}) @> portal_ngrams_of_part({part})"
            f" AND strpos(portal_searched({column}), NULLIF(portal_searched({part}), '')) > 0)"
        )
        return statement, (*column_values, *part_values, *column_values, *part_values)
