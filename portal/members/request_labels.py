"""What somebody pressed, in words, for the pages that ask who they are before it is carried out. By the name of the address."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.spec.text import Text

LABELS: dict[str, Text] = {
    "account_email": _("Change your e-mail addresses"),
    "activation_arrived": _("Show the companies that were chosen"),
    "ask_consent": _("Ask for consent by mail"),
    "attest_checkpoint": _("Say that a step is done"),
    "call_again": _("Send the request once more"),
    "call_settle": _("Say what became of the request"),
    "cancel_run": _("Cancel the sync"),
    "change_role": _("Change a role in the team"),
    "change_schedule": _("Change the schedule"),
    "check_checkpoint": _("Check a step"),
    "confirm_checkpoint": _("Confirm a step"),
    "waive_checkpoint": _("Say that a step is not needed"),
    "connection_export": _("Export records"),
    "decide_activation": _("Decide which companies are connected"),
    "departure_records": _("Keep or delete what was read"),
    "delete_recording": _("Delete what was recorded"),
    "disconnect": _("Disconnect"),
    "download_export": _("Download a file"),
    "end_departure": _("Destroy what is kept for the last check"),
    "end_export": _("Cancel or delete the export"),
    "enrolment": _("Set up the second factor"),
    "exports": _("Export everything"),
    "give_handoff": _("Give a step to somebody else"),
    "handoff_attest": _("Say that a step is done"),
    "handoff_fields": _("Store what was typed in a step"),
    "handoff_link": _("Open the step that you were asked to do"),
    "handoff_login": _("Sign in at the provider"),
    "invite": _("Send an invitation"),
    "invite_again": _("Send an invitation again"),
    "mail_choice": _("Choose what you are mailed"),
    "mail_choices": _("Choose what you are mailed"),
    "mfa_activate_totp": _("Set up the second factor"),
    "mfa_deactivate_totp": _("Turn the second factor off"),
    "mfa_generate_recovery_codes": _("Make new recovery codes"),
    "move_server": _("Move the connection to another server"),
    "pause_connection": _("Pause the connection"),
    "probe_departure": _("Check that the access is dead"),
    "remove_member": _("Remove somebody from the team"),
    "resume_connection": _("Resume the connection"),
    "revoke_invitation": _("Withdraw an invitation"),
    "start_connection": _("Begin a connection"),
    "start_login": _("Sign in at the provider"),
    "start_recording": _("Start recording"),
    "stop_handoff_reminders": _("Stop the reminders of a step"),
    "stop_recording": _("Stop recording"),
    "submit_credentials": _("Store what was typed in a step"),
    "sync_now": _("Sync now"),
    "switch_writes": _("Switch requests that write on or off"),
    "tenant_settings": _("Change the settings of the company"),
    "try_fill": _("Try a request"),
    "try_send": _("Send a request"),
    "usersessions_list": _("End other sessions"),
    "unsubscribe": _("Stop mails"),
    "withdraw_handoff": _("Take a step back"),
    "you": _("Save your name and time zone"),
}


def label_of(name: str) -> Text:
    """Staff pages have buttons of many kinds; theirs is a change there."""
    return LABELS.get(name) or _("A change on the page")
