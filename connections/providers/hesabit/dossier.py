"""What Hesabit needs in a ticket: its document names no request id."""

from __future__ import annotations

from connections.spec.dossiers import Dossier, DossierField, Fact

DOSSIER = Dossier(
    "Hesabit ticket",
    "introduction; OAuth 1 and 3",
    (
        DossierField(Fact.CLIENT_ID, "client_id"),
        DossierField(Fact.ENDPOINT, "Request"),
        DossierField(Fact.TIME, "Time"),
        DossierField(Fact.STATUS, "HTTP status"),
        DossierField(Fact.SCOPE, "scope"),
        DossierField(Fact.REPETITIONS, "Attempt"),
    ),
)
