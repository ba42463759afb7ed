"""Adds the certification's pages to the staff's, once Django asks for them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from portal.certification import dossier, views

site: Any = admin.site  # the portal's own, which takes pages that belong to no model
site.attach("certification/", views.list_reports, "certification", (views.BEFORE,))
site.attach("certification/ask/", views.ask_for_report, "certification_ask")
site.attach("certification/<uuid:report_id>/", views.show_report, "certification_report")
site.attach("certification/<uuid:report_id>/again/", views.ask_for_report_again, "certification_again")
site.attach("certification/<uuid:report_id>/json/", views.download_report, "certification_json")
site.attach("chain/", views.show_chain, "chain")
site.attach("dossier/<uuid:entry_id>/", dossier.show_dossier, "dossier")
site.attach("dossier/<uuid:entry_id>/text/", dossier.download_dossier, "dossier_text")
