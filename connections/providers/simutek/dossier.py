"""What Simutek's support needs: clients are registered by them, on servers of their customers."""

from __future__ import annotations

from connections.spec.dossiers import Dossier, DossierField, Fact

DOSSIER = Dossier(
    "Simutek support",
    "autentisering och auktorisering",
    (
        DossierField(Fact.SERVER, "Server"),
        DossierField(Fact.CLIENT_ID, "client_id"),
        DossierField(Fact.ENDPOINT, "Anrop"),
        DossierField(Fact.TIME, "Tidpunkt"),
        DossierField(Fact.STATUS, "HTTP-status"),
        DossierField(Fact.RESPONSE_BODY, "Svar"),
    ),
)
