"""What Procountor's support asks for, in the order of its certification page."""

from __future__ import annotations

from connections.spec.dossiers import Dossier, DossierField, Fact

DOSSIER = Dossier(
    "integrations@procountor.com",
    "certification 8",
    (
        DossierField(Fact.CLIENT_ID, "Integration (API client ID)"),
        DossierField(Fact.ENDPOINT, "API endpoint"),
        DossierField(Fact.REQUEST_BODY, "JSON of the API request"),
        DossierField(Fact.RESPONSE_BODY, "JSON of the API response"),
        DossierField(Fact.SERVER, "Server (production or testing)"),
        DossierField(Fact.API_VERSION, "API version"),
        DossierField(Fact.TIME, "Time stamp"),
        DossierField(Fact.COMPANY_ID, "Session's companyId"),
        DossierField(Fact.USER_ID, "Session's userId"),
        DossierField(Fact.STATUS, "HTTP status"),
    ),
)
