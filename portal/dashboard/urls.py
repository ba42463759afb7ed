"""Addresses of what is connected."""

from __future__ import annotations

from django.urls import path

from portal.dashboard import exports, recordings, schedules, server_move, views

ONE = "t/<slug:slug>/c/<uuid:connection_id>/"
RECORDING = f"{ONE}recording/"
EXPORT = "t/<slug:slug>/exports/<uuid:export_id>/"
RUN = f"{ONE}runs/<uuid:run_id>/"

urlpatterns = [
    path("t/<slug:slug>/", views.home, name="home"),
    path(ONE, views.connection, name="connection"),
    path(f"{ONE}poll/", views.connection_poll, name="connection_poll"),
    path(f"{ONE}sync/", views.sync_now, name="sync_now"),
    path(f"{ONE}schedule/", schedules.schedule, name="schedule"),
    path(f"{ONE}schedule/change/", schedules.change_schedule, name="change_schedule"),
    path(f"{ONE}pause/", schedules.pause, name="pause_connection"),
    path(f"{ONE}resume/", schedules.resume, name="resume_connection"),
    path(f"{ONE}move/", server_move.move, name="move"),
    path(f"{ONE}disconnect/", views.disconnect, name="disconnect"),
    path("t/<slug:slug>/exports/", exports.exports, name="exports"),
    path(f"{ONE}export/", exports.connection_export, name="connection_export"),
    path(EXPORT, exports.export, name="export"),
    path(f"{EXPORT}poll/", exports.export_poll, name="export_poll"),
    path(f"{EXPORT}end/", exports.end_export, name="end_export"),
    path(f"{EXPORT}files/<uuid:file_id>/", exports.download_export, name="download_export"),
    path(RECORDING, recordings.recording, name="recording"),
    path(f"{RECORDING}start/", recordings.start, name="start_recording"),
    path(f"{RECORDING}stop/", recordings.stop, name="stop_recording"),
    path(f"{RECORDING}delete/", recordings.delete, name="delete_recording"),
    path(f"{RECORDING}<uuid:call_id>/", recordings.call, name="recorded_call"),
    path(RUN, views.run, name="run"),
    path(f"{RUN}poll/", views.run_poll, name="run_poll"),
    path(f"{RUN}cancel/", views.cancel_run, name="cancel_run"),
]
