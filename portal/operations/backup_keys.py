"""`python -m portal.operations.backup_keys FOLDER` makes the two keys of backups, once."""

from __future__ import annotations

import sys
from pathlib import Path

from portal.operations.backup_file import make_key_pair

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m portal.operations.backup_keys FOLDER")
    try:
        public, private = make_key_pair(Path(sys.argv[1]))
    except OSError as error:
        sys.exit(f"portal: {error.filename}: {error.strerror}")
    sys.stdout.write(
        f"seals backups, stays here: {public}\nopens them, and belongs where this machine cannot reach it: {private}\n"
    )
