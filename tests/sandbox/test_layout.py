"""The same things stand in files of the same names in every simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

import connections.sandbox
from connections.sandbox import kit

ROOM = Path(connections.sandbox.__file__).parent
IN_ALL = {"schema", "switches", "sample_data", "records", "grants", "pages", "control", "api", "tokens"}
# What one provider alone has.
OWN = {
    "hesabit": set(),
    "pentamic": {"parsing", "responses"},
    "procountor": {
        "activation", "catalogue", "confirmations", "edits", "fields", "integrations", "invoices", "payments", "reads",
        "rights", "sample_bank", "sample_ledger", "webhooks", "writes",
    },
    "simutek": {"orders"},
    "smartbusiness": {"catalogue", "writes"},
}  # fmt: skip


@pytest.mark.parametrize("simulator", kit.discover(), ids=lambda simulator: simulator.slug)
def test_a_simulator_has_the_usual_files(simulator: kit.Simulator) -> None:
    modules = {path.stem for path in (ROOM / simulator.slug).glob("*.py")} - {"__init__"}
    assert IN_ALL - modules == set()
    strange = [name for name in modules - OWN[simulator.slug] if f"{name}.py " not in str(kit.__doc__)]
    assert strange == [], "name it as the others do (kit/__init__.py), or list what is this provider's alone"
