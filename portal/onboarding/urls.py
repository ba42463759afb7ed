"""Addresses of a tenant's way in."""

from __future__ import annotations

from django.urls import path

from portal.onboarding import activation_views, callback_views, handoff_views, views

AT = "t/<slug:slug>/c/<uuid:connection_id>/checklist/"
ONE = f"{AT}<slug:checkpoint>/"
ACTIVATION = "t/<slug:slug>/activations/<uuid:activation_id>/"

urlpatterns = [
    path("t/<slug:slug>/connect/<slug:provider_slug>/", views.start_connection, name="start_connection"),
    path(AT, views.checklist, name="checklist"),
    path("t/<slug:slug>/c/<uuid:connection_id>/checklist-poll/", views.checklist_poll, name="checklist_poll"),
    path(ONE, views.checkpoint, name="checkpoint"),
    path(f"{ONE}attest/", views.attest_checkpoint, name="attest_checkpoint"),
    path(f"{ONE}check/", views.check_checkpoint, name="check_checkpoint"),
    path(f"{ONE}fields/", views.submit_credentials, name="submit_credentials"),
    path(f"{ONE}confirm/", views.confirm_checkpoint, name="confirm_checkpoint"),
    path(f"{ONE}waive/", views.waive_checkpoint, name="waive_checkpoint"),
    path(f"{ONE}connect/<slug:login>/", views.start_login, name="start_login"),
    path(f"{ONE}hand-off/", handoff_views.give_handoff, name="give_handoff"),
    path(f"{ONE}hand-off/withdraw/", handoff_views.withdraw_handoff, name="withdraw_handoff"),
    path(f"{ONE}hand-off/reminders/", handoff_views.stop_handoff_reminders, name="stop_handoff_reminders"),
    path("hand-off/open/<str:token>/", handoff_views.handoff_link, name="handoff_link"),
    path("hand-off/<slug:key>/", handoff_views.handoff, name="handoff"),
    path("hand-off/<slug:key>/done/", handoff_views.handoff_attest, name="handoff_attest"),
    path("hand-off/<slug:key>/fields/", handoff_views.handoff_fields, name="handoff_fields"),
    path("hand-off/<slug:key>/connect/<slug:login>/", handoff_views.handoff_login, name="handoff_login"),
    path("callback/<slug:provider_slug>/", callback_views.callback, name="callback"),
    path(
        "callback/<slug:provider_slug>/activation/<slug:environment>/",
        callback_views.activation_arrived,
        name="activation_arrived",
    ),
    path(ACTIVATION, activation_views.activation, name="activation"),
    path(f"{ACTIVATION}poll/", activation_views.activation_poll, name="activation_poll"),
    path(f"{ACTIVATION}decide/", activation_views.decide_activation, name="decide_activation"),
    path(f"{ACTIVATION}consent/", activation_views.ask_consent, name="ask_consent"),
    path("activations/consent/<str:token>/", activation_views.activation_consent, name="activation_consent"),
]
