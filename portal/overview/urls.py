"""Addresses of what is connected."""

from __future__ import annotations

from django.urls import path

from portal.overview import views

ONE = "t/<slug:slug>/c/<uuid:connection>/"
RUN = f"{ONE}runs/<uuid:run>/"

urlpatterns = [
    path("t/<slug:slug>/", views.home, name="home"),
    path(ONE, views.connection, name="connection"),
    path(f"{ONE}news/", views.connection_news, name="connection_news"),
    path(f"{ONE}sync/", views.sync_now, name="sync_now"),
    path(f"{ONE}schedule/", views.schedule, name="schedule"),
    path(f"{ONE}disconnect/", views.disconnect, name="disconnect"),
    path(RUN, views.run, name="run"),
    path(f"{RUN}news/", views.run_news, name="run_news"),
    path(f"{RUN}cancel/", views.cancel_run, name="cancel_run"),
]
