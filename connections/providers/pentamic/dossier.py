"""What Pentamic's administrator needs to find a request: its document names no request id."""

from __future__ import annotations

from connections.spec.dossiers import Dossier, DossierField, Fact

DOSSIER = Dossier(
    "info@pentamic.com",
    "basic steps; request token",
    (
        DossierField(Fact.SERVER, "API URL"),
        DossierField(Fact.CLIENT_ID, "Client ID"),
        DossierField(Fact.SCOPE, "Allowed scope"),
        DossierField(Fact.ENDPOINT, "Resource"),
        DossierField(Fact.TIME, "Time"),
        DossierField(Fact.STATUS, "HTTP result"),
    ),
)
