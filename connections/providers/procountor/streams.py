"""What we read from Procountor, and the calls we make."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from connections.providers.procountor.faults import RIGHT_MISSING
from connections.providers.procountor.rights import lacking
from connections.spec.operations import Operation
from connections.spec.streams import AfterId, Envelope, Permission, Since, Stream

OPERATIONS = (
    Operation("session", "GET", "/sessioninfo", _("Company and user of the session")),
    Operation("rights", "GET", "/users/rights", _("Rights of the user")),
    Operation("partners.list", "GET", "/businesspartners", _("List business partners")),
    Operation("invoices.list", "GET", "/invoices", _("List invoices")),
)

# Certification 7: default 50, at most 200 a page; `previousId` is the way that does not skip rows over changing data.
PAGES = AfterId(size=200, envelope=Envelope(("results",), total=("meta", "totalCount")), order={"orderById": "ASC"})

# Date-times carry no zone (Finnish local time): the overlap covers the hour of a clock change and ties.
CHANGED = Since("versionStartDate", "version", overlap=timedelta(hours=3))

STREAMS = (
    Stream(
        "partners",
        _("Business partners"),
        "partners.list",
        PAGES,
        since=CHANGED,
        permission=Permission(
            "rights", ("sales.customerRegister", "purchases.supplierRegister"), lacking, RIGHT_MISSING
        ),
    ),
    Stream(
        "invoices",
        _("Invoices"),
        "invoices.list",
        PAGES,
        since=CHANGED,
        permission=Permission(
            "rights", ("sales.salesInvoiceSearch", "purchases.purchaseInvoiceSearch"), lacking, RIGHT_MISSING
        ),
    ),
)
