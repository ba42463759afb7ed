"""Addresses of requests that are tried."""

from __future__ import annotations

from django.urls import path

from portal.api_console import views

TRY = "t/<slug:slug>/c/<uuid:connection_id>/try/"
CALL = f"{TRY}calls/<uuid:call_id>/"

urlpatterns = [
    path(TRY, views.operations, name="try"),
    path(f"{TRY}writes/", views.switch_writes, name="switch_writes"),
    path(f"{TRY}<str:operation>/fill/", views.fill, name="try_fill"),
    path(f"{TRY}<str:operation>/send/", views.send, name="try_send"),
    path(CALL, views.call_page, name="call"),
    path(f"{CALL}poll/", views.call_poll, name="call_poll"),
    path(f"{CALL}settle/", views.settle, name="call_settle"),
    path(f"{CALL}again/", views.again, name="call_again"),
]
