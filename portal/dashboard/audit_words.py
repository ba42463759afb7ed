"""What an audit event says to the owners of a tenant: each action in words, or its name where it has none."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from connections.spec.text import Text

WORDS: Mapping[str, Text] = {
    "activation.asked": _("began to connect several companies"),
    "activation.consent_asked": _("asked by mail whether this company is meant"),
    "activation.decided": _("decided which companies are connected"),
    "call.asked": _("asked for a single request"),
    "call.settled": _("said what became of a request"),
    "certificate.confirmed": _("confirmed a certificate"),
    "checkpoint.attested": _("said that a step is done"),
    "checkpoint.confirmed": _("confirmed what was found at a step"),
    "checkpoint.waived": _("decided that a step is not needed"),
    "checkpoint.waiver_ended": _("decided that a step is needed after all"),
    "company.confirmed": _("confirmed the company"),
    "connection.authorized": _("signed in at the provider"),
    "connection.departure_cut_short": _("did not wait for the last check of an access"),
    "connection.disconnected": _("disconnected a connection"),
    "connection.last_probe": _("an access was tried for the last time"),
    "connection.last_probe_asked": _("had an access tried once more"),
    "connection.opened": _("opened a connection"),
    "connection.paused": _("paused a connection"),
    "connection.plain_http_allowed": _("allowed a connection without encryption"),
    "connection.plain_http_forbidden": _("forbade a connection without encryption"),
    "connection.private_networks_changed": _("changed which private networks a connection reaches"),
    "connection.records_deleted": _("what was read was deleted"),
    "connection.records_kept": _("kept what was read"),
    "connection.records_to_delete": _("asked that what was read is deleted"),
    "connection.resumed": _("resumed a connection"),
    "connection.secrets_destroyed": _("what was stored of an access was destroyed"),
    "connection.server_moved": _("moved a connection to another server"),
    "connection.setup_removed": _("removed a connection that was being set up"),
    "connection.writes_allowed": _("switched on requests that write"),
    "connection.writes_forbidden": _("switched off requests that write"),
    "credential.set": _("entered a credential"),
    "export.asked": _("asked for an export"),
    "export.downloaded": _("downloaded an exported file"),
    "handoff.given": _("gave a step to somebody else"),
    "handoff.opened": _("opened the link to a step"),
    "handoff.reminders_stopped": _("stopped the reminders of a step"),
    "handoff.too_many_tries": _("tried a step's link too often"),
    "handoff.withdrawn": _("took a step back"),
    "invitation.accepted": _("accepted an invitation"),
    "invitation.revoked": _("withdrew an invitation"),
    "job.queued_again": _("our support had work done again that was given up"),
    "member.invented": _("the demo invented this person"),
    "member.invited": _("invited somebody"),
    "member.removed": _("removed somebody from the team"),
    "member.role_changed": _("changed a role"),
    "recording.deleted": _("deleted a recording"),
    "recording.started": _("started a recording"),
    "recording.stopped": _("stopped a recording"),
    "staff.ask": _("our support asked for you by mail"),
    "staff.cancel": _("our support cancelled a sync"),
    "staff.check": _("our support had a connection checked again"),
    "staff.looked": _("our support looked, in a visit"),
    "staff.queue": _("our support had work done again that was given up"),
    "staff.sync": _("our support had a connection synced again"),
    "staff.visit_ended": _("our support ended a visit"),
    "staff.visit_started": _("our support began a visit"),
    "sync.cancelled": _("cancelled a sync"),
    "sync.scheduled": _("changed when a connection is synced"),
    "sync.started": _("started a sync"),
    "tenant.contact_changed": _("changed the contact"),
    "tenant.founded": _("the company was added"),
    "tenant.reactivated": _("the company was reactivated"),
    "tenant.renamed": _("the company was renamed"),
    "tenant.suspended": _("the company was suspended"),
    "tenant.time_zone_changed": _("changed the time zone"),
}

KINDS: Mapping[str, tuple[str, Text]] = {
    "support": ("staff.", _("our support")),
    "connections": ("connection.", _("connections")),
    "access": ("credential.", _("credentials")),
    "syncs": ("sync.", _("syncs")),
    "people": ("member.", _("the team")),
    "exports": ("export.", _("exports")),
    "recordings": ("recording.", _("recordings")),
}


def words_of(action: str) -> Text:
    return WORDS.get(action, action)
