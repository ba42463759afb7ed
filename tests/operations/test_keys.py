"""Key material: made once, private, never replaced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from portal.operations.keys import ensure_keys
from portal.operations.refusal import Refused

pytestmark = pytest.mark.process


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_everything_is_private_and_no_two_installations_share_a_key(tmp_path: Path) -> None:
    one, other = ensure_keys(tmp_path / "one"), ensure_keys(tmp_path / "other")
    one.password("portal_web")
    assert one.path.stat().st_mode & 0o777 == 0o700
    assert modes(one.path) == {0o600}
    assert {path.name for path in one.path.iterdir()} == {
        "secret_key",
        "kek.json",
        "web_keyset.json",
        "portal_web.password",
    }
    texts = [path.read_text() for keys in (one, other) for path in (keys.secret_key, keys.kek, keys.web_keyset)]
    assert len(set(texts)) == len(texts)


def test_a_second_start_keeps_every_byte(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "keys")
    password = keys.password("portal_web")
    before = {path.name: path.read_bytes() for path in keys.path.iterdir()}
    again = ensure_keys(tmp_path / "keys", in_use=True)
    assert again.password("portal_web") == password
    assert {path.name: path.read_bytes() for path in keys.path.iterdir()} == before


def test_files_that_were_opened_to_others_are_closed_again(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "keys")
    keys.path.chmod(0o755)
    keys.kek.chmod(0o644)
    ensure_keys(tmp_path / "keys")
    assert keys.path.stat().st_mode & 0o777 == 0o700
    assert modes(keys.path) == {0o600}


@pytest.mark.parametrize("lost", ["kek.json", "web_keyset.json"])
def test_a_lost_keyset_is_not_made_anew(tmp_path: Path, lost: str) -> None:
    keys = ensure_keys(tmp_path / "keys")
    (keys.path / lost).unlink()
    with pytest.raises(Refused, match=f"{lost} is missing"):
        ensure_keys(tmp_path / "keys")
    assert not (keys.path / lost).exists()


def test_a_database_without_any_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"kek\.json is missing"):
        ensure_keys(tmp_path / "keys", in_use=True)
    assert not (tmp_path / "keys").exists()


def test_a_first_start_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "keys")
    first = keys.kek.read_bytes()
    keys.secret_key.unlink()
    keys.web_keyset.unlink()
    ensure_keys(tmp_path / "keys")
    assert keys.kek.read_bytes() == first
    assert keys.web_keyset.exists()
    assert keys.secret_key.exists()


def test_keys_can_be_made_by_hand_for_a_production_machine(tmp_path: Path) -> None:
    """`python -m portal.operations.keys FOLDER`, as the README says; a second call changes nothing."""
    command = [sys.executable, "-m", "portal.operations.keys", str(tmp_path / "keys")]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    files = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    assert set(files) == {"secret_key", "kek.json", "web_keyset.json"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (tmp_path / "keys").iterdir())
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == first.stdout
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}


def test_what_a_group_was_let_read_stays_so(tmp_path: Path) -> None:
    """Two system users: the workers' group reads one key, the web's another. Making keys again takes nothing away."""
    keys = ensure_keys(tmp_path / "keys")
    keys.path.chmod(0o750)
    keys.kek.chmod(0o640)
    command = [sys.executable, "-m", "portal.operations.keys", str(keys.path)]
    subprocess.run(command, capture_output=True, check=True)
    assert keys.path.stat().st_mode & 0o777 == 0o750
    assert keys.kek.stat().st_mode & 0o777 == 0o640
    assert keys.web_keyset.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o660, 0o620, 0o644, 0o604])
def test_what_others_could_read_or_a_group_write_is_closed(tmp_path: Path, mode: int) -> None:
    keys = ensure_keys(tmp_path / "keys")
    keys.kek.chmod(mode)
    ensure_keys(keys.path)
    assert keys.kek.stat().st_mode & 0o777 == 0o600
