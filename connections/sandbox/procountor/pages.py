"""The pages a customer walks, in the words and menu paths of Procountor."""

from __future__ import annotations

from flask import Blueprint

from connections.sandbox.kit import Kit
from connections.sandbox.procountor.office import Office


def pages(kit: Kit, office: Office) -> Blueprint:
    """All pages, to be mounted at `/procountor/`."""
    return Blueprint("procountor", __name__)
