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
    ("transaction", r"BEGIN|COMMIT|SAVEPOINT|RELEASE|ROLLBACK"),
    ("scope", r".*set_config\("),
    ("session", r'.*"(django_session|usersessions_usersession)"'),
    ("person", r'SELECT .* FROM "(members_user|members_membership)"'),
    ("page", r""),
)


@dataclass(frozen=True)
class Statements:
    """Of one request, in their order, as they are sent."""

    texts: list[str]

    @property
    def kinds(self) -> Counter[str]:
        return Counter(_kind(text) for text in self.texts)

    @property
    def count(self) -> int:
        """All but the test client's: those that begin and end the transaction too."""
        return len(self.texts) - self.kinds["test"]

    def __str__(self) -> str:
        return "\n".join(f"{_kind(text):12}{text[:200]}" for text in self.texts)


def statements(client: Any, address: str) -> Statements:
    """Those of a GET, in a session that has been used before. Real transactions need the fixture `committed_db`."""
    client.get(address)
    with CaptureQueriesContext(database) as seen:
        answer = client.get(address)
    assert answer.status_code < 500, address
    return Statements([query["sql"] for query in seen.captured_queries])


def _kind(text: str) -> str:
    return next(kind for kind, pattern in KINDS if re.match(pattern, text, re.DOTALL))
