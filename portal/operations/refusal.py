"""Why a start cannot happen, in one line that names the way out."""

from __future__ import annotations


class Refused(Exception):
    """Nothing was started. The text is for a person; `exit_code` is what the command ends with."""

    def __init__(self, message: str, *, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
