"""The API's errors, with the bodies the vendor gives them."""

from __future__ import annotations

from typing import Any

DOC_URL = "https://stripe.com/docs/error-codes"


class ApiError(Exception):
    """Ends an API call with an error object.

    kind is the object's `type`. executed: the call had begun to be carried out, so that its
    idempotency key is spent; a call refused for its parameters leaves its key free.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        executed: bool = True,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.executed = executed
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The answer's JSON object; fields that say nothing are left out."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"{DOC_URL}/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        error.update({name: value for name, value in self.extra.items() if value is not None})
        return {"error": dict(sorted(error.items()))}


def invalid(message: str, *, param: str | None, code: str | None = None) -> ApiError:
    """A parameter that is refused before anything is carried out."""
    return ApiError(message, code=code, param=param, executed=False)


def missing(name: str, reference: str, *, param: str = "id") -> ApiError:
    """No object of this kind has this id; 404 where the id stands in the path."""
    status = 404 if param == "id" else 400
    return ApiError(
        f"No such {name}: '{reference}'", status=status, code="resource_missing", param=param
    )
