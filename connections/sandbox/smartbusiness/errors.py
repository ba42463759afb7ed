"""How this API refuses: one exception that carries status, code, message and meta, and the shapes it is told in."""

from __future__ import annotations

from typing import Any

# The numbers of the OAuth library this API is built on, with the vendor's own 11 and 12.
OAUTH_CODES = {
    "unsupported_grant_type": 2,
    "invalid_request": 3,
    "invalid_client": 4,
    "access_denied": 9,
    "invalid_grant": 10,
    "required_scopes_missing": 11,
    "invalid_scopes": 12,
    "unauthorized_client": 14,
}


class ApiError(Exception):
    """A refused call; `oauth` names a token problem, for which `message` and `hint` are told in a shape of its own."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        meta: dict[str, Any] | None = None,
        *,
        oauth: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.meta = status, code, message, meta or {}
        self.oauth, self.hint = oauth, hint

    def body(self, shape: str = "envelope") -> dict[str, Any]:
        """The answer's body: `envelope`, or for token problems `league` or `oauth`."""
        if self.oauth and shape == "league":
            return {"error": self.oauth, "message": self.message, "hint": self.hint}
        if self.oauth and shape == "oauth":
            return {"error": self.oauth, "error_description": f"{self.message} {self.hint}".strip()}
        meta = {"error_type": self.oauth, "hint": self.hint} if self.oauth else self.meta
        return {"code": self.code, "message": self.message, "meta": meta}


def token_error(status: int, error: str, message: str, hint: str = "") -> ApiError:
    return ApiError(status, OAUTH_CODES[error], message, oauth=error, hint=hint)


def bad_request(code: int, message: str) -> ApiError:
    return ApiError(400, code, message)


def not_found(entity_type: str | None = None) -> ApiError:
    return ApiError(404, 3000, "Not found", {"entity_type": entity_type})


def invalid(errors: list[dict[str, Any]]) -> ApiError:
    """The 422 of a written record; `errors` are {key, code, message}."""
    return ApiError(422, 1000, "Validation failed", {"errors": errors})
