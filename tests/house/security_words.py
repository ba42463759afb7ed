"""What the catalogue cannot tell of tables, keys and jobs: the sentences that security_doc.py puts beside it."""

from __future__ import annotations

from tests.house import security_kinds

KINDS = security_kinds.KINDS
SECRETS, AIMS, CUSTOMERS, PEOPLE, SYSTEM = "secrets", "aims", "customers", "people", "system"

# As a heading, and in the first table.
GROUPS = {
    SECRETS: ("Tables of secrets and of keys", "secrets and keys"),
    AIMS: ("Tables that decide where a secret goes", "where secrets go"),
    CUSTOMERS: ("Tables of customers' data and of what happened with it", "customers' data"),
    PEOPLE: ("Tables of people, sessions and rights", "people"),
    SYSTEM: ("Tables of the installation", "installation"),
}

# table: its group, and what it means that somebody may write it.
TABLES = {
    "vault_credential": (
        SECRETS,
        "What customers gave. A value can be planted, replaced or destroyed, not read or moved.",
    ),
    "vault_grant": (SECRETS, "Tokens that providers gave. They can be destroyed: the customer connects anew."),
    "vault_clientregistration": (
        SECRETS,
        "Our own client at each provider. Staff replace or delete it; where its secret is sent is code.",
    ),
    "vault_tenantkey": (SECRETS, "Public halves of the tenants' key pairs. Nobody but workers adds one."),
    "vault_privatekey": (SECRETS, "Private halves of the tenants' key pairs, wrapped by the KEK."),
    "vault_systemkey": (SECRETS, "Public half of the system's key pair."),
    "vault_systemprivatekey": (SECRETS, "Private half of the system's key pair, wrapped by the KEK."),
    "vault_legacyseal": (SECRETS, "What values sealed by an older release were bound to. Emptied by `vault.reseal`."),
    "certification_chainlink": (SYSTEM, "Hashes of what may never change. Only the owner of the tables writes one."),
    "certification_certificationreport": (SYSTEM, "Reports of a certification. Only workers write what one says."),
    "notices_errorgroup": (SYSTEM, "Which errors were mailed to our people, and how often they happened since."),
    "onboarding_activationconsent": (
        CUSTOMERS,
        "Whether somebody who chose companies at the provider meant this tenant. A consent can be forged.",
    ),
    "onboarding_handoff": (
        CUSTOMERS,
        "Steps that members gave to somebody else by a link, kept as digests. One can be given: whoever has its link does that"
        " step of a checklist, and no other.",
    ),
    "incidents_incident": (CUSTOMERS, "What keeps connections from working, and what did. Only workers write it."),
    "jobs_heartbeat": (
        SYSTEM,
        "When workers, beat, sweep and maintenance were last heard. Only workers write it; they can look alive or dead.",
    ),
    "jobs_dispatchswitch": (SYSTEM, "Whether jobs are done at all. Only the owner of the tables writes it."),
    "incidents_outage": (SYSTEM, "When a provider was in trouble for everybody. Only workers write it."),
    "incidents_mailchoice": (
        PEOPLE,
        "What members want to be mailed about a tenant, and when. Somebody's mails can be stopped, or asked for again.",
    ),
    "incidents_notice": (CUSTOMERS, "What members are to be told, and were. Only workers write or read it."),
    "incidents_staffsubscription": (
        PEOPLE,
        "Who of our staff is mailed about outages. Somebody's mails can be stopped; who is no staff gets none.",
    ),
    "members_tenantcontact": (PEOPLE, "Who is mailed where others have gone. Another member can be put there."),
    "notices_outgoingmail": (SECRETS, "Mails that wait. A forged one is sent to anybody in our name."),
    "transport_authorizationattempt": (
        SECRETS,
        "Logins at a provider. One can be planted with a code of one's own: it connects a company of one's own.",
    ),
    "transport_departure": (
        CUSTOMERS,
        "How connections were left. A wish can be forged: for records to be deleted after a day, for an early end; what was"
        " proved and destroyed cannot.",
    ),
    "transport_activationrequest": (
        SECRETS,
        "Requests to connect several companies. One can be decided: the keys come into the row's own tenant.",
    ),
    "transport_recording": (SECRETS, "Recordings and their key pairs, wrapped by the web keyset; a day at most."),
    "transport_recordedcall": (SECRETS, "Recorded calls. Only values of listed fields, sealed for the web process."),
    "exports_exportchunk": (SECRETS, "Pieces of exported files, sealed for the web process; a day at most."),
    "mfa_authenticator": (
        SECRETS,
        "Second factors, sealed with the web keyset. A person's can be removed, or one's own copied to them.",
    ),
    "vault_connection": (
        AIMS,
        "Addresses (`settings`), state, company. Another address opens nothing that was sealed for the one before; a hold"
        " on reading can be lifted, a company renamed, a connection paused or disconnected.",
    ),
    "vault_networkexemption": (
        AIMS,
        "Plain HTTP and private networks. Whoever may become the staff role can allow them under any admin's name.",
    ),
    "vault_pin": (
        AIMS,
        "Certificates that a worker met. Confirming one trusts it: with a place on the line as well, what is sent there is"
        " read.",
    ),
    "calls_call": (
        CUSTOMERS,
        "Calls that people asked for. One that is inserted is sent with the stored access, writes included.",
    ),
    "sync_record": (CUSTOMERS, "What was read from the accounting systems."),
    "exports_export": (
        CUSTOMERS,
        "Exports and their key pairs, wrapped by the web keyset; two days at most. One can be asked for past the form.",
    ),
    "exports_exportfile": (CUSTOMERS, "Names, sizes and columns of exported files. Workers alone write them."),
    "sync_recordversion": (CUSTOMERS, "What records held before, for 90 days. Can be invented, not changed."),
    "sync_changecounter": (CUSTOMERS, "How many changes of records a tenant has seen. Set back, it hides new ones."),
    "sync_syncrun": (CUSTOMERS, "Runs. Can be started, paused, or ended early."),
    "sync_streamprogress": (CUSTOMERS, "How far a run is. An invented one reads a list from another place on."),
    "sync_schedule": (
        CUSTOMERS,
        "When each connection is read, and which of its lists. Reading can be put off or narrowed, and asked for every hour.",
    ),
    "sync_scheduleslot": (CUSTOMERS, "What became of each time of a schedule. Only workers write it, for good."),
    "sync_listedpage": (CUSTOMERS, "The ids that the pages of a run listed, for as long as it lasts."),
    "sync_streamcursor": (CUSTOMERS, "How far lists have been read."),
    "sync_runlogline": (CUSTOMERS, "The log of runs. Lines can be invented, none taken away."),
    "transport_entry": (CUSTOMERS, "The request log, without bodies. Only workers write it, nobody changes it."),
    "transport_minutetally": (
        CUSTOMERS,
        "How many requests of a connection ended in which way, by the minute. A worker can count wrongly; the log stays.",
    ),
    "transport_daytally": (SYSTEM, "The same of all tenants together, by the day. Only maintenance writes it."),
    "support_actionplan": (
        PEOPLE,
        "What staff set going, why and when. A row can be added in another's name; the trail says who pressed.",
    ),
    "support_actionitem": (PEOPLE, "Ids of rows that something was set going for, and what came of it."),
    "support_connectionnote": (PEOPLE, "What staff wrote about a connection. Notes can be added, none changed."),
    "support_visit": (
        PEOPLE,
        "Who of our people may look inside which tenant until when: an hour at most, which the database holds. A row can be added"
        " by whoever has the staff's role; the tenant's owners see it.",
    ),
    "support_savedview": (PEOPLE, "Filters of a list that staff keep for themselves. Another's can be changed."),
    "onboarding_onboarding": (CUSTOMERS, "One walk through a checklist."),
    "onboarding_mark": (
        CUSTOMERS,
        "Checkpoints. A mark can be forged: the page says *verified*, a worker's next check says what is.",
    ),
    "onboarding_evidence": (CUSTOMERS, "Evidence, including confirmations of owners. Can be invented, not changed."),
    "tenancy_auditevent": (
        CUSTOMERS,
        "The audit trail. Events can be added; the database says when, and whose session it was. None is changed or taken away.",
    ),
    "tenancy_tenantsettings": (CUSTOMERS, "The time zone of a tenant's schedules."),
    "tenancy_tenant": (CUSTOMERS, "Names and states of tenants. Staff suspend one, or make another."),
    "members_user": (PEOPLE, "People with their password hashes and `staff_role`: whoever may write it is anybody."),
    "members_membership": (PEOPLE, "Who belongs to which tenant as what: whoever may write it is owner anywhere."),
    "members_invitation": (PEOPLE, "Invitations; the link itself is kept as a digest. One can be made."),
    "account_emailaddress": (PEOPLE, "Addresses of people, which passwords are reset by."),
    "account_emailconfirmation": (PEOPLE, "Unused: confirmations are signed links."),
    "django_session": (
        PEOPLE,
        "Sessions. A row's key is the cookie: whoever reads it is that person, until they sign out.",
    ),
    "usersessions_usersession": (PEOPLE, "People's lists of their sessions, with the same keys."),
    "tenancy_lookup": (
        PEOPLE,
        "Which tenant a mailed link belongs to, by digest, also after it was used. Deleting one makes the link void.",
    ),
    "rate_limits_cacheentry": (
        PEOPLE,
        "Used codes of second factors and allauth's counts, as JSON. Taken away, a used code can be used again for its minute.",
    ),
    "rate_limits_usage": (PEOPLE, "How often something was done. Taken away, limits begin anew."),
    "members_enrolmentlink": (
        PEOPLE,
        "Links by which staff set up a second factor, by digest. Whoever may write it vouches for staff.",
    ),
    "members_legacyseed": (PEOPLE, "Second factors of an older release, by digest: each opens in its own row alone."),
    "tenancy_systemauditevent": (
        PEOPLE,
        "The system's audit trail: sign-ins, staff, refusals. Events can be added, none changed or taken away.",
    ),
    "tenancy_audittally": (PEOPLE, "How often an event was repeated within an hour, for the trail."),
    "django_admin_log": (PEOPLE, "What staff did on admin pages. Entries can be invented."),
    "django_content_type": (PEOPLE, "Names of models."),
    "auth_permission": (PEOPLE, "Unused."),
    "auth_group": (PEOPLE, "Unused."),
    "auth_group_permissions": (PEOPLE, "Unused."),
    "jobs_job": (SYSTEM, "The queue. Work of any kind below can be asked for, put off, cancelled, for any tenant."),
    "transport_quotawindow": (SYSTEM, "What is left of providers' quotas."),
    "transport_breaker": (SYSTEM, "Servers in trouble, by hashed names."),
    "django_migrations": (SYSTEM, "Which migrations have run."),
}

# What opens what is no SealedField; those are opened with the KEK alone.
OPENED_WITH = {
    "vault_privatekey.wrapped_keyset": "KEK",
    "vault_systemprivatekey.wrapped_keyset": "KEK",
    "transport_recording.wrapped_keyset": "web keyset",
    "transport_recordedcall.ciphertext": "web keyset",
    "exports_export.wrapped_keyset": "web keyset",
    "exports_exportchunk.ciphertext": "web keyset",
    "mfa_authenticator.data": "web keyset",
}

# pair or key: who makes it, where each half is, what for, and how long it lives.
KEYS = [
    (
        "KEK (Tink AES-256-GCM)",
        "`python -m portal.operations.keys`, once",
        "a file; workers alone",
        "wraps the private halves of the pairs below it",
        "the installation's",
    ),
    (
        "web keyset (Tink AES-256-GCM)",
        "`python -m portal.operations.keys`, once",
        "a file; the web process alone",
        "seals second factors, wraps the pairs of recordings and exports",
        "the installation's",
    ),
    (
        "tenant's pair (Tink HPKE, X25519)",
        "a worker, when the tenant is founded",
        "`vault_tenantkey`, `vault_privatekey`",
        "seals what belongs to one tenant",
        "the tenant's; sealed values name its version",
    ),
    (
        "system's pair (the same)",
        "the first worker",
        "`vault_systemkey`, `vault_systemprivatekey`",
        "seals our client secrets and waiting mail",
        "the installation's; sealed values name its version",
    ),
    (
        "recording's pair (the same)",
        "the web process, when an owner starts a recording",
        "`transport_recording`, both halves",
        "workers seal recorded calls, the web process opens them",
        "a day; deleted with the recording",
    ),
    (
        "export's pair (the same)",
        "the web process, when somebody asks for an export",
        "`exports_export`, both halves",
        "workers seal the files, the web process opens them for a download",
        "a day; void as soon as the export is deleted",
    ),
    (
        "`PORTAL_SECRET_KEY` (Django)",
        "`python -m portal.operations.keys`, once",
        "a file; every process",
        "signs sessions, links for passwords and addresses, and those that end mails",
        "the installation's",
    ),
]

# Where one wrapped or public half stands, every column of the catalogue that ends so is named here by its pair.
KEY_COLUMNS = {
    "vault_tenantkey.public_keyset": "tenant's pair",
    "vault_privatekey.wrapped_keyset": "tenant's pair",
    "vault_systemkey.public_keyset": "system's pair",
    "vault_systemprivatekey.wrapped_keyset": "system's pair",
    "transport_recording.public_keyset": "recording's pair",
    "transport_recording.wrapped_keyset": "recording's pair",
    "exports_export.public_keyset": "export's pair",
    "exports_export.wrapped_keyset": "export's pair",
}

# What follows from a right: whoever has it (table, column, privilege) causes this.
CAUSED_BY = {
    ("rate_limits_usage", "count", "UPDATE"): "washes limits out",
    ("members_enrolmentlink", "digest", "INSERT"): "vouches for a second factor of staff",
    ("onboarding_activationconsent", "confirmed_at", "UPDATE"): "forges the consent of whoever chose companies",
    ("members_user", "password", "SELECT"): "takes password hashes away to guess at",
    ("members_user", "password", "UPDATE"): "sets anybody's password",
    ("members_user", "staff_role", "UPDATE"): "makes anybody staff",
    ("django_session", "session_key", "SELECT"): "goes on with anybody's session",
    ("mfa_authenticator", "id", "DELETE"): "removes second factors",
    ("members_membership", "role", "INSERT"): "makes anybody owner of any tenant",
    ("tenancy_tenant", "state", "UPDATE"): "suspends or frees tenants",
    (
        "jobs_job",
        "kind",
        "INSERT",
    ): "queues, puts off and cancels work of every tenant: syncs, checks and those listed below",
    (
        "calls_call",
        "operation",
        "INSERT",
    ): "has any declared call sent with a stored access, writes such as sales orders included, and reads its answer",
    ("notices_outgoingmail", "ciphertext", "INSERT"): "mails anybody in our name",
    ("vault_connection", "state", "UPDATE"): "disconnects connections, lifts holds on reading",
    (
        "transport_departure",
        "keeps_records",
        "UPDATE",
    ): "has the records of a disconnected connection deleted a day later",
    (
        "vault_connection",
        "settings",
        "UPDATE",
    ): "changes the address of a connection",
    ("vault_credential", "ciphertext", "INSERT"): "plants credentials",
    ("vault_credential", "id", "DELETE"): "destroys credentials",
    ("vault_grant", "id", "DELETE"): "destroys tokens",
    ("vault_networkexemption", "networks", "INSERT"): "lets workers reach private networks and use plain HTTP",
    ("vault_pin", "confirmed_at", "UPDATE"): "trusts a certificate that a worker met",
    ("vault_clientregistration", "client_id", "UPDATE"): "replaces our client at a provider",
    ("onboarding_evidence", "state", "INSERT"): "forges evidence and confirmations",
    ("onboarding_mark", "state", "UPDATE"): "forges marks of checklists",
    (
        "tenancy_auditevent",
        "action",
        "INSERT",
    ): "adds to the audit trail as whoever it says it is, takes nothing away",
    ("transport_entry", "id", "INSERT"): "adds to the request log",
    ("vault_tenantkey", "public_keyset", "INSERT"): "makes keys that everybody seals with",
}

# What follows from the login itself, from keys, environment and code execution.
CAUSES = {
    "web login": "locks tables, ends sessions of its own role, changes its own password and defaults. **No stored secret comes"
    " to its hands, or goes anywhere but to the server, and for the use, that it was given for**",
    "staff role": "",
    "web process": "reads what people type from now on, keys and passwords among it, before it is sealed; signs sessions and"
    " links; passes every second factor; reads recordings and exports; rings"
    " or silences the workers. **What is stored for workers stays"
    " closed**",
    "worker": "opens and uses every stored secret, and sends anything to anywhere that its machine reaches; opens waiting mails,"
    " and so the links in them: it may ask for anybody's new password and take the link, a second factor stands in the way",
}

# What is said to be out of reach of a holder's roles, by the column that shows it.
SEALED_FOR_WORKERS = {
    "stored credentials": "vault_credential.ciphertext",
    "tokens": "vault_grant.access_ciphertext",
    "our client secrets": "vault_clientregistration.secret_ciphertext",
    "waiting mails": "notices_outgoingmail.ciphertext",
    "private keys": "vault_privatekey.wrapped_keyset",
}
OUT_OF_REACH = {
    "web login": SEALED_FOR_WORKERS,
    "staff role": {
        "records": "sync_record.body",
        "former records": "sync_recordversion.body",
        "bodies of calls": "calls_call.body",
        "sessions": "django_session.session_data",
        "recordings": "transport_recordedcall.ciphertext",
        "exports": "exports_exportchunk.ciphertext",
        **SEALED_FOR_WORKERS,
    },
    "web process": SEALED_FOR_WORKERS,
    "worker": {
        "passwords": "members_user.password",
        "sessions": "django_session.session_data",
        "recordings": "transport_recordedcall.ciphertext",
        "exports": "exports_exportchunk.ciphertext",
        "second factors": "mfa_authenticator.data",
    },
}
