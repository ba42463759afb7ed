"""`manage.py demo_data`: invented people who can sign in, and nothing outside the demo."""

from __future__ import annotations

import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.urls import reverse

from connections.tenancy.models import Tenant
from connections.vault import sealing
from connections.vault.models import ClientRegistration
from portal.devserver import demo_data as demo
from portal.members.models import Membership, User
from tests.roles import acting_as

ADDRESSES = {
    "ui": "http://localhost:8001",
    "pid": 1,
    "hosts": {},
    "clients": {
        "procountor": {
            "client_id": "pilotage-demo",
            "client_secret": "a-secret-of-the-simulator",
            "redirect_uri": "https://portal.example/back",
        },
        "nobody-we-know": {"client_id": "x", "client_secret": "y"},
    },
}


@pytest.fixture
def addresses(tmp_path: Path) -> Path:
    path = tmp_path / "addresses.json"
    path.write_text(json.dumps(ADDRESSES))
    return path


@pytest.fixture(autouse=True)
def var(settings: Any, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path / "var"
    return tmp_path / "var"


def demo_data(*arguments: str) -> dict[str, Any]:
    call_command("demo_data", *arguments, stdout=StringIO())
    from django.conf import settings

    notes: dict[str, Any] = json.loads((settings.VAR_DIR / "demo.json").read_text())
    return notes


def test_everybody_on_the_list_can_sign_in(system_key: None, addresses: Path, client: Any) -> None:
    notes = demo_data("--sandbox", str(addresses))
    assert notes["portal"] == "http://localhost:8000"
    assert {entry["what"] for entry in notes["sign_ins"]} == {
        "owner of Aamu Oy",
        "operator of Aamu Oy",
        "viewer of Aamu Oy",
        "owner of Kaste Oy",
        "staff, support",
        "staff, admin",
    }
    for entry in notes["sign_ins"]:
        user = User.objects.get(email=entry["email"])
        assert user.check_password(entry["password"])
        assert EmailAddress.objects.get(user=user).verified
    entry = notes["sign_ins"][0]
    answer = client.post(reverse("account_login"), {"login": entry["email"], "password": entry["password"]})
    assert answer.status_code == 302
    assert "_auth_user_id" in client.session


def test_everybody_is_clearly_invented(system_key: None) -> None:
    demo_data()
    assert all(email.endswith(".example") for email in User.objects.values_list("email", flat=True))


def test_people_belong_where_the_list_says(system_key: None) -> None:
    demo_data()
    memberships = {
        (m.tenant.name, m.role)
        for m in Membership.objects.select_related("tenant", "user")
        if m.user.email != "kerttu@kaste.example"
    }
    assert memberships == {("Aamu Oy", "owner"), ("Aamu Oy", "operator"), ("Aamu Oy", "viewer")}
    assert set(Tenant.objects.values_list("slug", "name")) == {("aamu", "Aamu Oy"), ("kaste", "Kaste Oy")}
    assert dict(User.objects.exclude(staff_role="").values_list("email", "staff_role")) == {
        "sanna@pilotage.example": "support",
        "arvo@pilotage.example": "admin",
    }


def test_the_simulators_client_is_registered_and_opens_in_a_worker(system_key: None, addresses: Path) -> None:
    demo_data("--sandbox", str(addresses))
    row = ClientRegistration.objects.get()
    assert (row.provider, row.environment, row.client_id) == ("procountor", "sandbox", "pilotage-demo")
    with acting_as("worker"):
        assert sealing.plaintext(row, "secret_ciphertext") == "a-secret-of-the-simulator"


def test_a_second_run_changes_nothing(system_key: None, addresses: Path) -> None:
    first = demo_data("--sandbox", str(addresses))
    before = (User.objects.count(), Membership.objects.count(), Tenant.objects.count())
    assert demo_data("--sandbox", str(addresses)) == first
    assert (User.objects.count(), Membership.objects.count(), Tenant.objects.count()) == before
    assert ClientRegistration.objects.count() == 1


def test_a_lost_note_gives_new_passwords_that_work(system_key: None, var: Path) -> None:
    first = demo_data()["sign_ins"][0]
    (var / "demo.json").unlink()
    second = demo_data()["sign_ins"][0]
    assert second["password"] != first["password"]
    assert User.objects.get(email=second["email"]).check_password(second["password"])


def test_only_its_owner_may_read_the_note(system_key: None, var: Path) -> None:
    demo_data()
    assert stat.S_IMODE((var / "demo.json").stat().st_mode) == 0o600


def test_there_is_no_demo_data_in_production(system_key: None, settings: Any) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError, match="PORTAL_MODE=demo only"):
        demo_data()
    assert not User.objects.exists()


def test_without_a_worker_it_gives_up_with_the_way_out(
    db: None, addresses: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SYSTEM_KEY_WAIT_SECONDS", 0.3)
    with pytest.raises(CommandError, match="worker"):
        demo_data("--sandbox", str(addresses))


@pytest.mark.parametrize("text", [None, "", "[]", '{"clients": 3}'])
def test_a_file_that_is_not_the_sandboxs_is_refused(system_key: None, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "other.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CommandError, match=r"other\.json"):
        demo_data("--sandbox", str(path))
    assert not User.objects.exists()
