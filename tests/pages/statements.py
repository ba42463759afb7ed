"""What a page asks of the database: every statement, and what each is for."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db import connection as database
from django.test.utils import CaptureQueriesContext

# The first pattern that fits says what a statement is for; what fits none is the page's own.
KINDS = (
    ("test", r"SET ROLE"),  # the test client takes the web's role and gives it back
    ("transaction", r"(BEGIN|COMMIT|SAVEPOINT|RELEASE|ROLLBACK)"),
    ("scope", r".*set_config\(|SET LOCAL ROLE|SELECT current_user"),
    ("session", r'.*"(django_session|usersessions_usersession)"'),
    ("person", r'SELECT .* FROM "(members_user|members_membership)"'),
)
SCOPE = ("scope", "transaction")


@dataclass(frozen=True)
class Statements:
    """Of one request, in their order."""

    texts: list[str]

    @property
    def kinds(self) -> Counter[str]:
        return Counter(_kind(text) for text in self.texts)

    @property
    def count(self) -> int:
        """Without those of the test client."""
        return len(self.texts) - self.kinds["test"]


def statements(client: Any, address: str) -> Statements:
    """Those of a GET, when the page has been asked for before, as a reader's browser does."""
    client.get(address)
    with CaptureQueriesContext(database) as seen:
        client.get(address)
    return Statements([query["sql"] for query in seen.captured_queries])


def _kind(text: str) -> str:
    return next((kind for kind, pattern in KINDS if re.match(pattern, text, re.DOTALL)), "page")
