"""The checklist against the real simulator: proofs earn their marks, faults reopen exactly the checkpoint to mend."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from connections.jobs.services import enqueue
from connections.spec.checklist import MarkState
from connections.sync.models import Record, RunState, SyncRun, Trigger
from connections.sync.services import RUN_ENDED, start_run
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection, Credential
from connections.vault.services import ActionRefused
from portal.onboarding import marks, services
from portal.onboarding.credentials import clean_credentials
from portal.onboarding.marks import provider_of
from portal.onboarding.models import Evidence, Mark, Onboarding
from portal.onboarding.progress import progress
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("committed_db")

AINO = Actor(1, "aino@aamu.example")
DONE = {
    "usage-settings": "inferred",
    "technical-user": "verified",
    "rights": "verified",
    "m2m-only": "attested",
    "api-key": "verified",
    "company": "verified",
    "first-sync": "verified",
}


class Walker:
    """A member on the checklist: acts as the web role, while jobs run as the worker."""

    def __init__(self, tenant, sandbox, work_off):
        self.tenant, self.sandbox, self.work_off = tenant, sandbox, work_off
        with self.inside():
            self.onboarding = services.begin(tenant=tenant, provider="procountor", environment="sandbox", actor=AINO)

    def inside(self):
        from contextlib import ExitStack

        stack = ExitStack()
        stack.enter_context(acting_as("web"))
        stack.enter_context(tenant_scope(self.tenant.id))
        return stack

    def mark(self, checkpoint):
        return Mark.objects.select_related("onboarding__connection").get(
            onboarding=self.onboarding, checkpoint=checkpoint
        )

    def attest(self, *checkpoints):
        for checkpoint in checkpoints:
            with self.inside():
                services.attest(mark=self.mark(checkpoint), actor=AINO)

    def give(self, key):
        with self.inside():
            services.store_credentials(
                credentials=clean_credentials(mark=self.mark("api-key"), values={"api_key": key}), actor=AINO
            )
        self.work_off()

    def confirm(self, checkpoint="company"):
        with self.inside():
            services.confirm(mark=self.mark(checkpoint), actor=AINO)
        self.work_off()

    def check(self, checkpoint):
        with self.inside():
            marks.ask_check(mark=self.mark(checkpoint))
        self.work_off()

    def sync(self):
        with self.inside():
            run = start_run(connection=self.connection(), trigger=Trigger.HAND, actor=AINO)
        self.work_off()
        return SyncRun.objects.get(id=run.id)

    def connection(self):
        return Connection.objects.get(id=self.onboarding.connection_id)

    def states(self):
        return dict(Mark.objects.filter(onboarding=self.onboarding).values_list("checkpoint", "state"))

    def sentence(self, checkpoint):
        with self.inside():
            steps = progress(self.onboarding, provider_of(self.connection())).steps
        return next(step.sentence for step in steps if step.checkpoint.slug == checkpoint)


@pytest.fixture
def walker(aamu, sandbox, work_off):
    return Walker(aamu, sandbox, work_off)


@pytest.fixture
def live(walker, sandbox):
    """Walked to the end."""
    setup = sandbox.setup_company()
    walker.attest("usage-settings", "technical-user", "rights", "m2m-only")
    walker.give(setup["api_key"])
    assert walker.states() == DONE | {
        "technical-user": "unconfirmed",
        "company": "unconfirmed",
        "first-sync": "open",
    }
    walker.confirm("technical-user")
    walker.confirm()
    walker.setup = setup
    assert walker.states() == DONE
    return walker


@pytest.mark.parametrize("last", ["technical-user", "m2m-only"])
def test_a_checklist_is_complete_also_where_a_persons_word_comes_last(walker, sandbox, last):
    """Confirmed or attested after the first sync: nobody has to wait for the next one."""
    setup = sandbox.setup_company()
    walker.attest(*({"usage-settings", "technical-user", "rights", "m2m-only"} - {last}))
    walker.give(setup["api_key"])
    if last != "technical-user":
        walker.confirm("technical-user")
    walker.confirm()
    assert walker.states()["first-sync"] == "verified"
    assert Onboarding.objects.get(id=walker.onboarding.id).completed_at is None
    if last == "technical-user":
        walker.confirm(last)
    else:
        walker.attest(last)
    walker.work_off()
    assert walker.states() == DONE
    assert Onboarding.objects.get(id=walker.onboarding.id).completed_at is not None


def test_the_whole_walk(live, sandbox):
    assert live.connection().state == "connected"
    assert live.connection().company_id == str(live.setup["company_id"])
    run = SyncRun.objects.get()
    assert (run.state, run.trigger) == (RunState.SUCCEEDED, Trigger.FIRST)
    assert Record.objects.filter(stream="partners").count() == len(sandbox.records("partners", active="all"))
    assert Record.objects.filter(stream="invoices").count() == len(sandbox.records("invoices"))
    live.onboarding.refresh_from_db()
    assert live.onboarding.completed_at is not None


def test_every_proof_names_its_request(live):
    for checkpoint in ("api-key", "technical-user", "rights", "company", "usage-settings"):
        evidence = Evidence.objects.filter(mark=live.mark(checkpoint)).first()
        entry = RequestLogEntry.objects.get(id=evidence.entry_id)
        assert entry.status == 200
        assert entry.at <= evidence.at


def test_nothing_is_green_before_it_was_asked(walker, sandbox):
    walker.attest("usage-settings", "technical-user", "rights", "m2m-only")
    assert set(walker.states().values()) == {"attested", "open"}
    walker.check("rights")
    assert walker.states()["rights"] == "attested"
    assert sandbox.state()["token_requests"] == 0


def test_what_the_api_cannot_see_is_never_verified(live):
    live.check("m2m-only")
    live.check("usage-settings")
    live.check("technical-user")
    assert [live.states()[slug] for slug in ("m2m-only", "usage-settings")] == ["attested", "inferred"]
    assert live.states()["technical-user"] == "verified", "who it is we asked, and what it is a person confirmed"
    [evidence, *_] = live.mark("technical-user").evidence.all()
    assert (evidence.code, evidence.actor_name) == ("user-meant", "")


def test_another_user_than_the_confirmed_one_waits_for_a_word_of_its_own(live):
    Evidence.objects.filter(mark=live.mark("technical-user")).update(values={"user": "Aamu", "user_id": "1"})
    live.check("technical-user")
    assert live.states()["technical-user"] == "unconfirmed"


def test_a_persons_word_does_not_replace_a_proof(live):
    live.attest("usage-settings", "rights")
    assert live.states() == DONE


def test_an_api_key_cannot_be_attested(walker):
    with pytest.raises(ActionRefused):
        walker.attest("api-key")
    assert walker.states()["api-key"] == "open"


def test_a_wrong_key_fails_its_own_checkpoint_only(walker, sandbox):
    sandbox.setup_company()
    walker.attest("usage-settings", "technical-user")
    walker.give("this-key-was-never-issued-0123456789")
    assert walker.states() == {
        **dict.fromkeys(DONE, "open"),
        "usage-settings": "attested",
        "technical-user": "attested",
        "api-key": "failing",
    }
    assert "does not accept this API key" in walker.sentence("api-key")
    assert "no longer" not in walker.sentence("api-key"), "it never worked"
    assert walker.connection().state == "setup"


def test_a_revoked_key_reopens_exactly_its_checkpoint_and_a_new_one_mends_it(live, sandbox):
    records = Record.objects.count()
    sandbox.revoke(live.setup["api_key"])
    run = live.sync()
    assert (run.state, run.fault) == (RunState.FAILED, "api-key-refused")
    assert live.states() == DONE | {"api-key": "failing"}
    assert (live.connection().state, live.connection().fault) == ("broken", "api-key-refused")
    failing = Evidence.objects.filter(mark=live.mark("api-key")).first()
    assert RequestLogEntry.objects.get(id=failing.entry_id).status == 401

    evidence = Evidence.objects.count()
    live.give(sandbox.new_key(live.setup["user_id"]))
    assert live.states() == DONE
    assert live.connection().state == "connected"
    assert Record.objects.count() == records
    assert Evidence.objects.count() > evidence
    newest = SyncRun.objects.order_by("-queued_at").first()
    assert (newest.trigger, newest.state) == (Trigger.MENDED, RunState.SUCCEEDED)
    assert SyncRun.objects.count() == 3
    assert Credential.objects.count() == 1


def test_a_lost_right_reopens_the_rights(live, sandbox):
    sandbox.change_user(live.setup["user_id"], rights={"sales.salesInvoiceSearch": "NO_ACCESS"})
    sandbox.switches(missing_right="403")
    run = live.sync()
    assert run.state == RunState.INCOMPLETE
    assert live.states() == DONE | {"rights": "failing"}
    live.check("rights")
    assert "Sales invoice search (Sales)" in live.sentence("rights")


def test_a_forbidden_usage_setting_reopens_the_usage_settings(live, sandbox):
    sandbox.allow_usage(False)
    live.check("api-key")
    assert live.states() == DONE | {"usage-settings": "failing"}
    sandbox.allow_usage(True)
    live.check("api-key")  # waits, as the very same was refused just now
    assert live.states()["usage-settings"] == "failing"
    live.attest("usage-settings")  # somebody says that it is put right
    live.work_off()
    assert live.states() == DONE


def test_a_key_of_another_company_is_refused_before_anything_is_read(live, sandbox):
    records = Record.objects.count()
    other = sandbox.setup_company(10452)
    live.give(other["api_key"])
    assert live.states() == DONE | {"api-key": "failing"}
    assert "Iltarusko Oy" in live.sentence("api-key")
    assert live.connection().company_id == str(live.setup["company_id"])
    assert Record.objects.count() == records
    assert SyncRun.objects.count() == 1
    assert (live.connection().state, live.connection().fault) == ("broken", "other-company")
    with pytest.raises(ActionRefused):
        live.sync()

    live.give(sandbox.new_key(live.setup["user_id"]))
    assert live.states() == DONE
    assert live.connection().state == "connected"
    assert Record.objects.count() == records


def test_a_right_that_is_given_back_heals_the_connection(live, sandbox):
    sandbox.change_user(live.setup["user_id"], rights={"sales.salesInvoiceSearch": "NO_ACCESS"})
    live.sync()
    assert live.connection().state == "broken"
    with pytest.raises(ActionRefused):
        live.attest("rights")
    assert live.states()["rights"] == "failing"
    sandbox.change_user(live.setup["user_id"], rights={"sales.salesInvoiceSearch": "VIEWING_RIGHTS"})
    live.check("rights")
    assert live.states() == DONE
    assert live.connection().state == "connected"


def test_a_late_conclusion_does_not_blame_what_was_mended_since(live, sandbox, work_off):
    sandbox.revoke(live.setup["api_key"])
    run = live.sync()
    live.give(sandbox.new_key(live.setup["user_id"]))
    enqueue(kind=RUN_ENDED, subject=run.id, tenant_id=run.tenant_id)
    work_off()
    assert live.states() == DONE
    assert live.connection().state == "connected"


def test_a_company_is_confirmed_once(live):
    with pytest.raises(ActionRefused):
        live.confirm()


def test_the_key_is_nowhere_but_sealed(live):
    from django.db import connection as database

    key = live.setup["api_key"]
    with database.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{key}%"])
            assert cursor.fetchone() == (0,), table


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("two words-0123456789", "blank"),
        ("line\nbreak-0123456789", "blank"),
        ("https://procountor.example/key", "address"),
        ("portal-sandbox", "client id"),
        ("short", "too short"),
        ("x" * 5000, "too short or too long"),
        ("schlüssel-0123456789", "characters"),
    ],
)
def test_what_cannot_be_a_key_is_told_at_the_field(walker, typed, words):
    with pytest.raises(ValidationError) as caught, walker.inside():
        services.store_credentials(
            credentials=clean_credentials(mark=walker.mark("api-key"), values={"api_key": typed}), actor=AINO
        )
    sentence = str(caught.value.message_dict["api_key"][0])
    assert words in sentence
    if len(typed) > 8 and typed.strip():
        assert typed not in sentence + str(caught.value)
    assert Credential.objects.count() == 0


def test_blanks_around_a_key_are_removed_and_said(walker):
    with walker.inside():
        values = {"api_key": "  padded-key-0123456789 \n"}
        credentials = clean_credentials(mark=walker.mark("api-key"), values=values)
        services.store_credentials(credentials=credentials, actor=AINO)
        assert credentials.left_out


def test_the_checklist_takes_one_query_whatever_it_shows(live, django_assert_num_queries):
    onboarding = Onboarding.objects.select_related("connection").get()
    with live.inside(), django_assert_num_queries(1):
        steps_of_it = progress(onboarding, provider_of(onboarding.connection))
    assert steps_of_it.passed == steps_of_it.total == 7
    assert steps_of_it.current is None
    assert all(isinstance(step.state, MarkState) for step in steps_of_it.steps)
