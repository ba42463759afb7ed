"""What SmartBusiness's support asks for: the X-Request-Id, and what it belongs to."""

from __future__ import annotations

from connections.spec.dossiers import Dossier, DossierField, Fact

DOSSIER = Dossier(
    "SmartBusiness support",
    "introduction, response headers",
    (
        DossierField(Fact.REQUEST_ID, "X-Request-Id"),
        DossierField(Fact.ENDPOINT, "Endpoint"),
        DossierField(Fact.TIME, "Time"),
        DossierField(Fact.STATUS, "HTTP response code"),
        DossierField(Fact.CLIENT_ID, "Client id"),
    ),
)
