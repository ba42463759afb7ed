"""A provider that behaves as it is told, in a process of its own: `python -m tests.drills.hostile_provider <folder>`.

Prints its port and its behaviours, {name: [place, group]}; reads names of behaviours, one a line, and prints `ok` after
each. Any other name is an honest provider. Ends with its input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.drills import hostile_answers, hostile_documents
from tests.drills.hostile_answers import Hostile
from tests.transport.hostile import HostileServer, Line

BEHAVIOURS: dict[str, Hostile] = dict([*hostile_answers.gathered(), *hostile_documents.gathered()])
CUSTOMERS = b"<ArrayOfCustomer><Customer><Id>1</Id><Name>A</Name></Customer></ArrayOfCustomer>"


def honest(line: Line) -> None:
    """A token, or what fits the question."""
    if line.asked.startswith("POST"):
        line.answer(200, hostile_documents.token())
    elif b"application/xml" in line.head:
        line.answer(200, CUSTOMERS, Content_Type="application/xml")
    elif "/customers" in line.asked:
        line.answer(200, b'[{"id": 1}]')
    elif b"size=" in line.head:
        line.answer(200, hostile_documents.page([{"id": 1}], 1))
    else:
        line.answer(200, b'{"a": 1}')


def behave(server: HostileServer, name: str) -> None:
    hostile = BEHAVIOURS.get(name)
    if hostile is None:
        server.behave, server.greet = honest, None
        return
    is_wanted = hostile.place == "token"
    server.greet = hostile.greet
    server.behave = lambda line: hostile.behave(line) if line.asked.startswith("POST") is is_wanted else honest(line)


def main() -> None:
    server = HostileServer(Path(sys.argv[1]))
    server.behave = honest
    named = {name: (hostile.place, hostile.group) for name, hostile in BEHAVIOURS.items()}
    sys.stdout.write(json.dumps([server.port, named]) + "\n")
    sys.stdout.flush()
    for name in sys.stdin:
        behave(server, name.rstrip("\n"))
        server.asked.clear()
        sys.stdout.write("ok\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
