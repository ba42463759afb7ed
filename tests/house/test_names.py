"""What the papers call by a name is called so in the code: names inside sentences rot where nobody compares them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house import names, papers


@pytest.mark.parametrize("paper", papers.papers(), ids=lambda path: str(path.relative_to(papers.REPOSITORY)))
def test_the_names_in_a_paper_are_names_of_the_code(paper: Path) -> None:
    assert names.unknown(papers.text_of(paper)) == []


@pytest.mark.parametrize(
    ("mention", "is_there"),
    [
        ("get_own_or_404(...)", True),
        ("own(...)", False),
        ("member(...)", True),
        ("member(action)", True),
        ("member(role)", False),
        ("@member(Action...)", True),
        ("@member(Doing...)", False),
        ("tenant_required=False", True),
        ("for_tenant=False", False),
        ("lease.scope()", True),
        ("lease.nothing()", False),
        ("{% if can.disconnect %}", True),
        ("{% if can.leave %}", False),
        ("Action.RECORD", True),
        ("Action.LEAVE", False),
        ("recording.FORGET", True),
        ("recording.REMEMBER", False),
        ("vault_grant.access_ciphertext", True),
        ("vault_grant.nothing", False),
        ("PORTAL_REQUEST_LOG_MONTHS", True),
        ("PORTAL_REQUEST_LOG_YEARS", False),
        ("api-key-refused", True),
        ("api-key-forgotten", False),
        ("manage.py maintenance", True),
        ("manage.py maintain", False),
        ("python -m tests.house.roles_doc", True),
        ("python -m tests.house.roles_paper", False),
        ("--seed", True),
        ("--seeds", False),
        ("SELECT nothing FROM nowhere", True),
        ("https://portal.example", True),
    ],
)
def test_a_name_that_the_code_does_not_have_is_seen(mention: str, is_there: bool) -> None:
    assert (names.unknown(f"a `{mention}` b") == []) is is_there


def test_no_exception_is_kept_that_nobody_needs() -> None:
    quoted = " ".join(each for paper in papers.papers() for each in papers.quoted(papers.text_of(paper)))
    assert {each for each in names.FOREIGN if not re.search(rf"(?<!\w){each}\b", quoted)} == set()
