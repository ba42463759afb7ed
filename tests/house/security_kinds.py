"""What happens when a job of each kind is queued by somebody who may insert jobs; for docs/security.md."""

from __future__ import annotations

# kind: what happens when it is queued by somebody who may insert jobs, for a subject of their choice.
KINDS = {
    "calls.send": "Sends the call of that row once, as it was asked for; a row that was sent already is not sent again. With an"
    " invented row: any declared call of a connection that stands, writes included, with the stored access.",
    "certification.compute_report": "Computes a certification report that is wanted, or once more one that is there.",
    "exports.forget": "Deletes the pieces of an export that was cancelled, deleted or failed, or whose day is over.",
    "exports.write": "Writes the next file of an export that is wanted, sealed for whoever made its key: what the web may read"
    " of its own tenant's records anyway. Bounded by what a tenant may have written within a day, and stored.",
    "incidents.close_left": "Closes the incidents of a connection that is disconnected, without a mail. Nothing for any other.",
    "incidents.look_whether_lasting": "Opens an incident for a connection that runs could not read for a day; nothing while"
    " that is not so.",
    "incidents.mail_person": "Mails a member the notices that wait for them and are due; each is mailed once.",
    "incidents.remind": "Reminds whoever began a set-up that it is not finished: once for each of three days, however often.",
    "incidents.tell_customers": "Has every tenant looked at, where that outage has lasted for a day.",
    "incidents.tell_tenant": "Tells a tenant's people of outages that have lasted for a day, and of their end: once each.",
    "incidents.warn": "Has a connection looked at for what ends soon, and its people told: once for each of three days, however"
    " often it is queued.",
    "incidents.watch_provider": "Opens or closes a provider's outage as its breaker says, which workers alone write.",
    "notices.send_mail": "Sends the mail of that row, if it was sealed for the system and not sent yet. With an invented row: any"
    " text to anybody.",
    "notices.error_summary": "Mails our people how often a kind of error has happened since they were told, if it is time.",
    "notices.send_urgent_mail": "The same, before what waits already.",
    "onboarding.handoff_done": "Mails the member who gave a step away that it is done; once for each.",
    "onboarding.remind_handoff": "Reminds whoever was given a step that is not done: once for each of three days, however often.",
    "onboarding.check": "Asks the provider what the checkpoint asks, and writes the finding. Costs calls of a quota.",
    "onboarding.watch": "Asks the provider again what was proved of a connection. Nothing within twelve hours of the last time.",
    "sync.delete_records": "Nothing, unless the connection is disconnected and its departure says that its records are not"
    " kept: then they are deleted, a day after a worker has first seen that. With a forged wish: the records of a connection,"
    " a day later.",
    "sync.follow_pause": "Pauses or resumes the connection, as its row says that our staff want it.",
    "sync.run": "Goes on with a run that is under way. Nothing while the company is unproved, the connection paused or the"
    " tenant suspended.",
    "sync.run_ended": "Draws the conclusions from a run's faults once more: its checkpoints may fail again, or be checked. With"
    " an invented run: an incident of the connection in our own words, and one mail about it to a member of its tenant.",
    "sync.scheduled": "Starts a run if a slot of the connection's schedule has come, and waits for the next one. Nothing"
    " where the connection does not stand.",
    "support.carry_out": "Does, some at a time, what staff have planned and started: syncs and checks again, cancels runs, mails"
    " whoever connected a connection, queues parked jobs and unsent mails again. With an invented row: any of these.",
    "support.tell_of_visit": "Mails the owners of the visit's tenant that one of our people looks inside. Twice is two mails.",
    "transport.activation_decide": "Tells the provider the decision that the row holds, once; connects the approved companies in"
    " the row's tenant. With an invented row: companies whose request was begun at the provider.",
    "transport.activation_ended": "Lays out the checklist of connections that have none, and checks their key.",
    "transport.activation_show": "Fetches the companies of a request that was just taken up, with our own client.",
    "transport.attempt_ended": "Checks what a login brought, or writes why it brought nothing.",
    "transport.departure_ended": "Mails the owners of a tenant once more where the certificate of a connection is whose"
    " secrets are destroyed.",
    "transport.exchange": "Exchanges the code of a login that was received, once. With an invented row: one's own code, so the"
    " connection opens another company, which the next check refuses where the provider names companies.",
    "transport.forget_recording": "Deletes the recording with its key.",
    "transport.leave": "Nothing, unless the connection is marked as disconnected: then its access is revoked at the"
    " provider and every secret of it destroyed.",
    "transport.prove_dead": "Nothing, unless the connection is disconnected and a secret of it is kept: then a session is asked"
    " for with it, and it is destroyed if that is refused, if its days are over, or if the row asks for that.",
    "vault.make_tenant_key": "Nothing, where the tenant has a key. Else it gets its first.",
    "vault.reseal": "Seals a tenant's values anew where they open for what their rows are bound to now; no others.",
}
