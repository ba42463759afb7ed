"""Makes the key material an installation needs on its first start, and never touches it again."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tink
from tink import aead, secret_key_access

from portal.operations.refusal import Refused


@dataclass(frozen=True)
class KeyFolder:
    """A 0700 folder of 0600 files, unless somebody let a group read. Whoever reads a file here decides which process gets it."""

    path: Path

    @property
    def secret_key(self) -> Path:
        """Django's key, as text."""
        return self.path / "secret_key"

    @property
    def kek(self) -> Path:
        """The Tink keyset that wraps private keysets: for workers alone."""
        return self.path / "kek.json"

    @property
    def web_keyset(self) -> Path:
        """The Tink keyset of the web class: for the web alone."""
        return self.path / "web_keyset.json"

    def password(self, role: str) -> str:
        """The generated database password of `role`, made at the first call. Raises Refused."""
        return _read_or_create(self.path / f"{role}.password", lambda: secrets.token_urlsafe(32))


def ensure_keys(folder: Path, *, in_use: bool = False) -> KeyFolder:
    """Create what is missing; an existing file is kept as it is, whatever it holds.

    A missing keyset of an installation `in_use` (it has a database already) is never made anew, because what was
    sealed under the old one would not open. Raises Refused.
    """
    keys = KeyFolder(folder)
    if in_use or keys.secret_key.exists():
        # Django's key is made last: where it is, the keysets have been.
        for keyset in (keys.kek, keys.web_keyset):
            if not keyset.exists():
                message = (
                    f"{keyset} is missing, and what is sealed in the database needs it; put it back from your backup"
                )
                raise Refused(message)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(folder, 0o700)
    except OSError as error:
        message = f"{folder} cannot be made private: {error.strerror}"
        raise Refused(message) from None
    _read_or_create(keys.kek, _keyset)
    _read_or_create(keys.web_keyset, _keyset)
    _read_or_create(keys.secret_key, lambda: secrets.token_urlsafe(64))
    return keys


def _keyset() -> str:
    aead.register()
    handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    keyset: str = tink.json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN)
    return keyset


def _read_or_create(path: Path, make: Callable[[], str]) -> str:
    """The file's text. A new file appears whole or not at all, and a hard link cannot replace an old one."""
    try:
        if not path.exists():
            draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                pass  # another process was first: its key is the key
            finally:
                draft.unlink()
        _close_to_others(path, 0o600)
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        message = f"{path} cannot be read or written: {error.strerror}"
        raise Refused(message) from None


def _close_to_others(path: Path, mode: int) -> None:
    """What a group may read and others may not was given to it on purpose; anything wider was not. Raises OSError."""
    if path.stat().st_mode & 0o027:
        path.chmod(mode)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m portal.operations.keys FOLDER    makes what is missing there, each file 0600")
    try:
        keys = ensure_keys(Path(sys.argv[1]))
    except Refused as refused:
        sys.exit(f"portal: {refused}")
    sys.stdout.write(f"workers: {keys.kek}\nweb: {keys.web_keyset}\nboth: {keys.secret_key}\n")
