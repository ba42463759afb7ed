"""Addresses of what is connected."""

from __future__ import annotations

from django.urls import path

from portal.dashboard import (
    audit_views,
    departure_views,
    export_views,
    recording_views,
    schedule_views,
    server_move_views,
    views,
)

ONE = "t/<slug:slug>/c/<uuid:connection_id>/"
RECORDING = f"{ONE}recording/"
EXPORT = "t/<slug:slug>/exports/<uuid:export_id>/"
RUN = f"{ONE}runs/<uuid:run_id>/"

urlpatterns = [
    path("t/<slug:slug>/", views.home, name="home"),
    path(ONE, views.connection, name="connection"),
    path(f"{ONE}poll/", views.connection_poll, name="connection_poll"),
    path(f"{ONE}sync/", views.sync_now, name="sync_now"),
    path(f"{ONE}schedule/", schedule_views.schedule, name="schedule"),
    path(f"{ONE}schedule/change/", schedule_views.change_schedule, name="change_schedule"),
    path(f"{ONE}pause/", schedule_views.pause, name="pause_connection"),
    path(f"{ONE}resume/", schedule_views.resume, name="resume_connection"),
    path(f"{ONE}move/", server_move_views.move_server, name="move_server"),
    path(f"{ONE}disconnect/", views.disconnect, name="disconnect"),
    path(f"{ONE}data/", views.data_statement, name="data_statement"),
    path(f"{ONE}departure/", departure_views.departure, name="departure"),
    path(f"{ONE}departure/probe/", departure_views.probe_departure, name="probe_departure"),
    path(f"{ONE}departure/end/", departure_views.end_departure, name="end_departure"),
    path(f"{ONE}departure/records/", departure_views.departure_records, name="departure_records"),
    path("t/<slug:slug>/audit/", audit_views.audit, name="audit"),
    path("t/<slug:slug>/exports/", export_views.exports, name="exports"),
    path(f"{ONE}export/", export_views.connection_export, name="connection_export"),
    path(EXPORT, export_views.export, name="export"),
    path(f"{EXPORT}poll/", export_views.export_poll, name="export_poll"),
    path(f"{EXPORT}end/", export_views.end_export, name="end_export"),
    path(f"{EXPORT}files/<uuid:file_id>/", export_views.download_export, name="download_export"),
    path(RECORDING, recording_views.recording, name="recording"),
    path(f"{RECORDING}start/", recording_views.start, name="start_recording"),
    path(f"{RECORDING}stop/", recording_views.stop, name="stop_recording"),
    path(f"{RECORDING}delete/", recording_views.delete, name="delete_recording"),
    path(f"{RECORDING}<uuid:call_id>/", recording_views.call, name="recorded_call"),
    path(RUN, views.run, name="run"),
    path(f"{RUN}poll/", views.run_poll, name="run_poll"),
    path(f"{RUN}cancel/", views.cancel_run, name="cancel_run"),
]
