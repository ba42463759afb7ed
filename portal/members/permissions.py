"""Who may do what: every action of a tenant's pages and of the staff's, and the least role that it needs.

Decorators, templates, the forms of the team, docs/roles.md and the tests read these tables. No other module compares
roles or names one to decide something.
"""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from connections.spec.text import Text


class Action(TextChoices):
    """What members do in their tenant. The label completes "may ..." in docs/roles.md."""

    VIEW = "view", "see the connections, their checklists and runs, and the team"
    READ_RECORDS = "read_records", "browse and search the records that were read, each with its history"
    CONNECT = "connect", "open a connection, work through its checklist, and decide on requests to connect companies"
    SYNC = "sync", "start and cancel runs, and set the schedule"
    PAUSE = "pause", "pause a connection with a reason, and resume it"
    TRY_REQUESTS = "try_requests", "try requests that only read, and see all that were tried"
    ALLOW_WRITES = "allow_writes", "let a connection send requests that write, and end that"
    SEND_WRITES = "send_writes", "send requests that write, and say what became of them"
    WAIVE = "waive", "say with a reason that a step of a checklist is not needed, and take that back"
    CONFIRM_COMPANY = (
        "confirm_company",
        "say that these are still the company's books after the access or server changed",
    )
    DISCONNECT = "disconnect", "disconnect a connection, or remove one that is being set up"
    MOVE_SERVER = "move_server", "move a connection to another server"
    EXPORT = "export", "export records, and download, cancel and delete what was exported"
    RECORD = "record", "record what a connection sends and hears, read it and delete it"
    MANAGE_TEAM = "manage_team", "invite people, withdraw invitations, change roles and remove members"
    CHANGE_SETTINGS = "change_settings", "change the settings of the company, such as its time zone"
    SEE_AUDIT = "see_audit", "see who did what in the company and when, our support among them"
    RECEIVE_WARNINGS = "receive_warnings", "be mailed when a connection was moved or its reading was stopped"


class StaffAction(TextChoices):
    """What our own people do on the staff pages. The label completes "may ..." in docs/roles.md."""

    VIEW = "view", "look at every staff page"
    WRITE_NOTES = "write_notes", "write notes on a connection, which customers do not see"
    ACT_ON_RUNS = (
        "act_on_runs",
        "have a connection synced or checked again, one or all that failed alike, and cancel runs",
    )
    ASK_CUSTOMERS = "ask_customers", "mail whoever connected a connection that they are needed there"
    SEND_MAILS = "send_mails", "send a mail again that did not arrive"
    QUEUE_JOBS = "queue_jobs", "queue again what was given up, one job or all of a kind"
    VISIT = "visit", "look at the records of one tenant for an hour at most, which its owners are mailed about"
    EXPORT_LOG = "export_log", "take away what is filtered of the request log as a file"
    CHANGE = "change", "press what else a staff page offers: tenants, staff, registrations, exemptions, pauses"


class Role(TextChoices):
    """Of a member in a tenant, the one that may do most first."""

    OWNER = "owner", _("owner")
    OPERATOR = "operator", _("operator")
    VIEWER = "viewer", _("viewer")

    def can(self, action: Action) -> bool:
        return self.includes(LEAST_ROLE[action])

    def includes(self, other: Role) -> bool:
        """Whether it may do everything that the other role may."""
        order = list(Role)
        return order.index(self) <= order.index(other)

    @classmethod
    def that_can(cls, action: Action) -> list[Role]:
        """The roles that may do this, for a filter of memberships."""
        return [role for role in cls if role.can(action)]


class StaffRole(TextChoices):
    """Of our own people, the one that may do least first."""

    NONE = "", _("no staff")
    SUPPORT = "support", _("support")
    ADMIN = "admin", _("admin")

    def can(self, action: StaffAction) -> bool:
        return self.includes(LEAST_STAFF_ROLE[action])

    def includes(self, other: StaffRole) -> bool:
        """Whether it may do everything that the other role may."""
        order = list(StaffRole)
        return order.index(self) >= order.index(other)

    @classmethod
    def that_can(cls, action: StaffAction) -> list[StaffRole]:
        """The roles that may do this, for a filter of people."""
        return [role for role in cls if role.can(action)]


LEAST_ROLE: dict[Action, Role] = {
    Action.VIEW: Role.VIEWER,
    Action.READ_RECORDS: Role.VIEWER,
    Action.CONNECT: Role.OPERATOR,
    Action.SYNC: Role.OPERATOR,
    Action.PAUSE: Role.OWNER,
    Action.TRY_REQUESTS: Role.OPERATOR,
    Action.ALLOW_WRITES: Role.OWNER,
    Action.SEND_WRITES: Role.OWNER,
    Action.WAIVE: Role.OWNER,
    Action.CONFIRM_COMPANY: Role.OWNER,
    Action.DISCONNECT: Role.OWNER,
    Action.MOVE_SERVER: Role.OWNER,
    Action.EXPORT: Role.OPERATOR,
    Action.RECORD: Role.OWNER,
    Action.MANAGE_TEAM: Role.OWNER,
    Action.CHANGE_SETTINGS: Role.OWNER,
    Action.SEE_AUDIT: Role.OWNER,
    Action.RECEIVE_WARNINGS: Role.OWNER,
}

LEAST_STAFF_ROLE: dict[StaffAction, StaffRole] = {
    StaffAction.VIEW: StaffRole.SUPPORT,
    StaffAction.WRITE_NOTES: StaffRole.SUPPORT,
    StaffAction.ACT_ON_RUNS: StaffRole.SUPPORT,
    StaffAction.ASK_CUSTOMERS: StaffRole.SUPPORT,
    StaffAction.SEND_MAILS: StaffRole.SUPPORT,
    StaffAction.VISIT: StaffRole.SUPPORT,
    StaffAction.QUEUE_JOBS: StaffRole.ADMIN,
    StaffAction.EXPORT_LOG: StaffRole.ADMIN,
    StaffAction.CHANGE: StaffRole.ADMIN,
}

# What the form of an invitation says about each role, least first.
ROLE_DESCRIPTIONS: dict[Role, Text] = {
    Role.VIEWER: _("viewer: sees everything, changes nothing"),
    Role.OPERATOR: _("operator: connects systems, runs syncs and exports records"),
    Role.OWNER: _("owner: all of that, and decides who belongs to the team"),
}

HIGHEST_ROLE = Role.OWNER  # of a tenant's first member; staff may give every role up to it
MEMBERS_INVITE_AS = Role.OPERATOR  # what the form on the team page begins with
STAFF_INVITE_AS = Role.VIEWER  # what the form on the staff page begins with
