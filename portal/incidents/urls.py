"""Addresses of pages about mails."""

from __future__ import annotations

from django.urls import path

from portal.incidents import views

urlpatterns = [
    path("you/mail/", views.mail_choices, name="mail_choices"),
    path("t/<slug:slug>/mail/", views.mail_choice, name="mail_choice"),
    path("mail/stop/<str:token>/", views.unsubscribe, name="unsubscribe"),
]
