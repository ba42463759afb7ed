"""Addresses of records. An id stands in the query: it may hold slashes and dots, which a path does not keep."""

from __future__ import annotations

from django.urls import path

from portal.records import views

STREAM = "t/<slug:slug>/c/<uuid:connection_id>/records/<slug:stream>/"

urlpatterns = [
    path(STREAM, views.records, name="records"),
    path(f"{STREAM}record/", views.record, name="record"),
    path(f"{STREAM}record/json/", views.record_json, name="record_json"),
]
