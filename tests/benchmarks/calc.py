"""Has LibreOffice Calc open a CSV file by its own defaults, and looks at what it made of each cell.

Debian: `apt-get install --no-install-recommends libreoffice-calc-nogui`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

from connections.exports.csv_cells import AMOUNT

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
SECONDS = 1800
# Commas, quotes, UTF-8: what its dialog finds out by the byte order mark, and its command line does not. Nothing else is said,
# so text in quotes is taken for a number where it looks like one.
FILTER = "CSV:44,34,76"


def converted(path: Path, folder: Path) -> Path:
    """The file as a flat document of Calc's. Raises RuntimeError where there is no Calc."""
    program = shutil.which("soffice")
    if program is None:
        message = "no soffice: apt-get install --no-install-recommends libreoffice-calc-nogui"
        raise RuntimeError(message)
    profile = (folder / "profile").as_uri()
    command = [
        program,
        f"-env:UserInstallation={profile}",
        "--headless",
        f"--infilter={FILTER}",
        "--convert-to",
        "fods",
        "--outdir",
        str(folder),
        str(path),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    return folder / f"{path.stem}.fods"


def rows(document: Path) -> Iterator[list[tuple[str, str, str]]]:
    """(kind, value, formula) of the cells of each row: of texts the text, of all else the value that is kept."""
    for _event, element in ElementTree.iterparse(document):
        if element.tag != f"{TABLE}table-row":
            continue
        cells: list[tuple[str, str, str]] = []
        for cell in element.iter(f"{TABLE}table-cell"):
            kind = cell.get(f"{OFFICE}value-type", "")
            text = "\n".join("".join(_texts(each)) for each in cell.findall(f"{TEXT}p"))
            value = (
                text
                if kind in ("", "string")
                else cell.get(f"{OFFICE}value") or cell.get(f"{OFFICE}date-value") or text
            )
            repeated = int(cell.get(f"{TABLE}number-columns-repeated", "1"))
            cells += [(kind, value, cell.get(f"{TABLE}formula", ""))] * min(repeated, 1000)
        yield cells
        element.clear()


def _texts(element: ElementTree.Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        yield (
            "\t"
            if child.tag == f"{TEXT}tab"
            else " " * int(child.get(f"{TEXT}c", "1"))
            if child.tag == f"{TEXT}s"
            else "".join(_texts(child))
        )
        yield child.tail or ""


def compare(path: Path, values_of: Callable[[int], dict[str, str]], folder: Path) -> str:
    """A sentence with what was counted: formulas, changed amounts, lost zeros, other texts that differ."""
    found = rows(converted(path, folder))
    names = [value for _kind, value, _formula in next(found)]
    formulas = amounts = zeros = others = cells = number = 0
    for row in found:
        if not any(value for _kind, value, _formula in row):
            continue
        for name, expected in values_of(number).items():
            kind, value, formula = row[names.index(name)]
            cells += 1
            formulas += bool(formula)
            if AMOUNT.fullmatch(expected):
                amounts += kind != "float" or Decimal(value) != Decimal(expected)
            elif expected.isdigit():
                zeros += value.removeprefix("'") != expected
            else:
                others += value.removeprefix("'").strip() != expected.strip()
        number += 1
    return (
        f"Calc: {number:,} rows, {cells:,} cells, {formulas} formulas, {amounts} changed amounts, {zeros} lost zeros,"
        f" {others} other texts that differ"
    )
