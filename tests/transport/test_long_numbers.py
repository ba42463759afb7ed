"""Which pages are read number by number, to keep digits that a float loses: those with such numbers, and few others."""

from __future__ import annotations

import pytest

from connections.spec import json_numbers
from connections.transport.http import parsing


@pytest.mark.parametrize(
    "number",
    [
        "12345678901234567.89",
        "0.12345678901234567",
        "-12345678901234567890",
        "12345678901234567",
        "1.2345678901234567e5",
    ],
)
@pytest.mark.parametrize(
    "document", ["%s", "[%s]", "[1, %s]", '{"a":%s}', '{"a" :\n%s , "b": 1}', '["99999999999999999999",%s]']
)
def test_every_number_that_a_float_cannot_keep_is_seen(document, number):
    text = (document % number).encode()
    assert json_numbers.may_hold_long(text)
    assert json_numbers.dumps(parsing.parse(text, parsing.JSON).values).decode().count(number) == 1


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[1, 2.5, 1234567890123456]",
        b'{"reference": "12345678901234567890", "account": "FI2112345600000785123"}',
        b'"12345678901234567',
    ],
)
def test_short_numbers_and_long_texts_are_passed_over(document):
    assert not json_numbers.may_hold_long(document)
