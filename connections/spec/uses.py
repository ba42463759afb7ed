"""What a secret may be used for. Each is sealed for one use, or few, and opens for no other."""

from __future__ import annotations

from enum import StrEnum


class Use(StrEnum):
    TOKEN_REQUEST = "token-request"  # noqa: S105  a field of the body of a token request
    HEADER = "header"  # an access token in the Authorization header of a call
    QUERY = "query"  # an access token in the query of a call
    BASIC = "basic"  # HTTP Basic
    PATH = "path"  # a part of a call's path
    MAIL = "mail"  # a message that waits to be sent
