"""What a spreadsheet makes of a cell: no formula, no changed amount, no lost zero; and the way back to what came."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.exports.csv_cells import FORMULA, GUARD, cell, number_cell, text_cell
from connections.exports.flattening import Bare
from tests import hostile_values

AMOUNTS = ["0", "-5", "-12.50", "1250.00", "0.05", "-0.00", "123456789012345", "2024"]
FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "=cmd|' /C calc'!A0", "-", "+", "--5", "-5-5",
    "-=1", "＝1+1", "＋1", "－1", "＠A1", "'=1",
]  # fmt: skip
RESPELLED = [
    "00123", "-00123", "+358401234567", "12345678901234567", "1E5", "1e-7", "1,234", "1 234", "12.", ".5", "5%", "1'000",
    "123456789012345.67", " 7", "1_000", "1d5",
]  # fmt: skip
PLAIN = [
    "Aamu Oy",
    "FI12 3456",
    "2024-01-31",
    "12:30",
    "a=b",
    "Ä",
    "x-1",
    "(5)",
    "#1",
    "1/2",
    "1.2.2024",
    "A00123",
    "",
]


def read(written: str) -> str:
    ((found,),) = csv.reader(io.StringIO(f"{written}\r\n", newline=""), strict=True)
    return found


@pytest.mark.parametrize("text", AMOUNTS)
def test_an_amount_stays_a_number_as_text_and_as_a_number(text: str) -> None:
    assert number_cell(text) == text
    assert read(text_cell(text)) == text


@pytest.mark.parametrize("text", FORMULAS + RESPELLED)
def test_what_a_spreadsheet_would_change_gets_an_apostrophe(text: str) -> None:
    assert read(text_cell(text)) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_stands_as_it_came(text: str) -> None:
    assert read(text_cell(text)) == text


@pytest.mark.parametrize(
    ("digits", "is_text"),
    [
        ("12345678901234567", True),
        ("0.1234567890123456", True),
        ("1E400", True),
        ("1.70e1", False),
        ("1e-300", False),
        ("true", False),
    ],
)
def test_a_number_that_would_be_rounded_is_text(digits: str, is_text: bool) -> None:
    assert cell(Bare(digits)) == (f'"\'{digits}"' if is_text else digits)


@pytest.mark.parametrize("text", hostile_values.VALUES.values())
def test_hostile_values_come_back(text: str) -> None:
    assert came_back(text)


@given(
    st.text(alphabet=st.characters(exclude_characters="\0"), max_size=30)
    | st.text("=+-@\t\r\n'\"0123456789.eE, ", max_size=9)
)
def test_whatever_came_comes_back_and_no_cell_begins_a_formula(text: str) -> None:
    assert came_back(text)
    found = read(text_cell(text))
    begins_harmless = found[:1] not in FORMULA - {GUARD} and found.lstrip()[:1] not in FORMULA - {GUARD}
    assert begins_harmless or float(found) is not None


def came_back(text: str) -> bool:
    found = read(text_cell(text))
    return found.removeprefix(GUARD) == text


def test_nul_is_in_no_cell() -> None:
    assert text_cell("\0=1") == '"\'\ufffd=1"'
    assert text_cell("a\0b") == '"a\ufffdb"'
