"""Addresses of the demo's mails."""

from __future__ import annotations

from django.urls import path

from portal.notices import views

urlpatterns = [
    path("demo/mail/", views.demo_mails, name="demo_mails"),
    path("demo/mail/<slug:key>/", views.demo_mail, name="demo_mail"),
]
