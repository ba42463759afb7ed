"""A backup as a file: sealed for whoever holds the private key, which the machine that writes backups need not have.

Each file has a key of its own, sealed with the public one, and is encrypted in segments whose order and whose end are
authenticated: a file that was cut, or put together from others, does not open.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, BinaryIO

import tink
from tink import hybrid, secret_key_access, streaming_aead

hybrid.register()
streaming_aead.register()

MAGIC = b"PILOTAGE BACKUP 1\n"
CONTEXT = b"pilotage backup"
MOST_HEAD_BYTES = 64 * 1024
_LENGTH = struct.Struct(">I")


class Unusable(Exception):
    """A key or a file that does not do. The text says which, and never holds a key."""


def make_key_pair(folder: Path) -> tuple[Path, Path]:
    """Both files, the public one and the private one, 0600; neither may be there yet. Raises OSError."""
    private = tink.new_keyset_handle(hybrid.hybrid_key_templates.DHKEM_X25519_HKDF_SHA256_HKDF_SHA256_AES_256_GCM)
    texts = {
        folder / "backup_public.json": tink.json_proto_keyset_format.serialize_without_secret(
            private.public_keyset_handle()
        ),
        folder / "backup_private.json": tink.json_proto_keyset_format.serialize(private, secret_key_access.TOKEN),
    }
    for path, text in texts.items():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    public, private_path = texts
    return public, private_path


@contextmanager
def writing(path: Path, public_key: Path) -> Iterator[BinaryIO]:
    """What is written goes into `path`, which appears when the block ends well; after an error nothing is left.

    Raises Unusable for a key that is none, OSError.
    """
    try:
        text = public_key.read_text(encoding="utf-8")
        sealer = tink.json_proto_keyset_format.parse_without_secret(text).primitive(hybrid.HybridEncrypt)
    except (OSError, tink.TinkError, ValueError):
        message = f"{public_key} is no public key of a backup"
        raise Unusable(message) from None
    own = tink.new_keyset_handle(streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB)
    keyset = tink.json_proto_keyset_format.serialize(own, secret_key_access.TOKEN).encode()
    sealed = sealer.encrypt(keyset, CONTEXT)
    about = json.dumps({"made_at": datetime.now(timezone.utc).isoformat(timespec="seconds")}).encode()
    head = MAGIC + _LENGTH.pack(len(sealed)) + sealed + _LENGTH.pack(len(about)) + about
    draft = path.with_name(f".{path.name}.partial")
    draft.unlink(missing_ok=True)
    file = os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    stream = None
    try:
        file.write(head)
        stream = own.primitive(streaming_aead.StreamingAead).new_encrypting_stream(_KeptOpen(file), head)
        yield stream
        stream.close()  # writes the last segment, without which nothing opens
        file.flush()
        os.fsync(file.fileno())
        file.close()
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        if stream is not None:  # else it closes itself later, into the closed file, and buries why
            with suppress(tink.TinkError, OSError, ValueError):
                stream.close()
        with suppress(OSError):
            file.close()
        raise


@contextmanager
def reading(path: Path, private_key: Path) -> Iterator[tuple[datetime, Contents]]:
    """When the backup was made, and what was written into it. Whoever reads to the end has all of it.

    Raises Unusable for a key that does not open it, or a file that is none; so does reading where it was damaged.
    """
    try:
        text = private_key.read_text(encoding="utf-8")
        opener = tink.json_proto_keyset_format.parse(text, secret_key_access.TOKEN).primitive(hybrid.HybridDecrypt)
    except (OSError, tink.TinkError, ValueError):
        message = f"{private_key} is no private key of a backup"
        raise Unusable(message) from None
    with path.open("rb") as file:
        sealed, about, head = _head(file, path)
        try:
            keyset = opener.decrypt(sealed, CONTEXT).decode()
            own = tink.json_proto_keyset_format.parse(keyset, secret_key_access.TOKEN)
        except tink.TinkError:
            message = f"{private_key} does not open {path}"
            raise Unusable(message) from None
        yield (
            datetime.fromisoformat(json.loads(about)["made_at"]),
            Contents(own.primitive(streaming_aead.StreamingAead).new_decrypting_stream(file, head), path),
        )


def _head(file: IO[bytes], path: Path) -> tuple[bytes, bytes, bytes]:
    """The sealed key, what is said of the backup, and all that stands before its contents."""
    head = file.read(len(MAGIC))
    parts = []
    for _ in range(2):
        length = file.read(_LENGTH.size)
        size = _LENGTH.unpack(length)[0] if len(length) == _LENGTH.size else MOST_HEAD_BYTES + 1
        part = file.read(size) if head.startswith(MAGIC) and size <= MOST_HEAD_BYTES else b""
        if len(part) != size:
            message = f"{path} is no backup of ours, or only its beginning"
            raise Unusable(message)
        head += length + part
        parts.append(part)
    return parts[0], parts[1], head


class Contents:
    """What was written into a backup, opened piece after piece."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream, self._path = stream, path

    def read(self, size: int = -1, /) -> bytes:
        """Raises Unusable where the file was changed, or ends too early."""
        try:
            return self._stream.read(size)
        except (tink.TinkError, OSError, ValueError):
            message = f"{self._path} is damaged or only a part of the backup"
            raise Unusable(message) from None


class _KeptOpen:
    """A file that Tink's stream does not close: it has to reach the disk first."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.closed = False

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
