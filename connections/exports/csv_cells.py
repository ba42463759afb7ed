"""Cells of a CSV file that a spreadsheet opens: no formula, no changed amount, no zero lost (SECURITY WEB-11).

Text stands in quotes, numbers do not. An apostrophe is put before text that a spreadsheet would take for a formula, or for
a number that it would spell in another way (00123, 12345678901234567890), and before a number with more digits than it
keeps. It is put before text that begins with one as well, so that whoever takes one off each cell that has it gets the text
that came. Amounts stay numbers, also where the provider gives them as text: -12.50 is -12.5 to a spreadsheet.
"""

from __future__ import annotations

import re

from connections.exports.flattening import Bare

GUARD = "'"
NUL = "\0"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MOST_DIGITS = 15  # that a spreadsheet's number keeps
# What makes a formula of a cell, for one spreadsheet or another, also behind blanks.
FORMULA = frozenset("=+-@\t\r\n\0'＝＋－＠")
# What a spreadsheet reads as the number that was meant.
AMOUNT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
# What it may read as a number that was not meant: digits with zeros before them, too many of them, or an exponent; with the
# signs that groups, decimals and percentages are written with.
NUMERIC = re.compile(r"[\s+\-]*+[0-9.,][0-9.,\s_']*+(?:[eEdD][+\-]?[0-9]++)?\s*+%?\s*+")
DATE = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}")  # is a date wherever it is not text

# Nothing to do: it begins with a letter (of the usual width), and has neither quotes nor NUL in it.
_PLAIN = re.compile(r'[^\W\d_][^"\0]*+')


def number_cell(digits: str) -> str:
    """A number of JSON, true or false. One that a spreadsheet would round is text."""
    if not digits[-1:].isdigit() or _is_kept(digits):
        return digits
    return f'"{GUARD}{digits}"'


def text_cell(text: str) -> str:
    """In quotes, as RFC 4180 wants it."""
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    if not text:
        return '""'
    if NUL in text:
        text = GUARD * (text[0] == NUL) + text.replace(NUL, REPLACEMENT)
    elif is_guarded(text):
        text = GUARD + text
    if '"' in text:
        text = text.replace('"', '""')
    return f'"{text}"'


def is_guarded(text: str) -> bool:
    """Whether an apostrophe is put before it."""
    first = text[0]
    if first.isalpha() and first not in FORMULA:
        return False
    if first.isspace():
        return text.lstrip()[:1] in FORMULA or first in FORMULA or _is_respelled(text)
    if first in FORMULA:
        return AMOUNT.fullmatch(text) is None or not _is_kept(text)
    return _is_respelled(text)


def cell(value: str | None) -> str:
    """Whatever a record has in a field."""
    if value is None:
        return ""
    return number_cell(value) if type(value) is Bare else text_cell(value)


def _is_respelled(text: str) -> bool:
    """Whether a spreadsheet might take it for a number, and show another one than is written."""
    if NUMERIC.fullmatch(text) is None or DATE.fullmatch(text):
        return False
    return AMOUNT.fullmatch(text) is None or not _is_kept(text)


def _is_kept(digits: str) -> bool:
    """Whether a spreadsheet keeps every digit of this number."""
    if len(digits) <= MOST_DIGITS:
        return ("e" not in digits and "E" not in digits) or _is_small(digits)
    mantissa = re.split("[eE]", digits)[0]
    return len(mantissa.replace(".", "").lstrip("-0")) <= MOST_DIGITS and _is_small(digits)


def _is_small(digits: str) -> bool:
    exponent = re.split("[eE]", digits)[1:]
    return not exponent or abs(int(exponent[0][:6])) <= 300
