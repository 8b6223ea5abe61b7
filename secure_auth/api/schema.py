"""What the schema (OpenAPI 3.1) says of a JSON view, derived from what the view declares and nothing else.

A view declares `body_class`, `answers`, `parameters` and the `problems` of its use case. Its bearer, role, freshness,
body and path give the rest, so that a view cannot demand something that the schema does not tell.
"""

import re
from collections.abc import Iterable
from typing import Any

from drf_spectacular.drainage import warn
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from secure_auth.api.common import ServiceView
from secure_auth.api.components import (
    ANSWER_HEADERS,
    LIMITED_HEADERS,
    answer_headers,
    oauth_answers,
    problem_answers,
)
from secure_auth.api.examples import EXAMPLES
from secure_auth.api.parameters import DELIVERY
from secure_auth.errors import Code

BEARERS = {
    "": (),
    "partial": ("partialToken", "partialCookie"),
    "access": ("accessToken", "accessCookie"),
    "grant": ("partialToken", "accessToken", "partialCookie", "accessCookie"),
    "client": ("clientCredentials",),
}
METHODS_WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")


class StrictBody(OpenApiSerializerExtension):
    """A request body refuses fields that it does not declare."""

    target_class = "secure_auth.api.common.Body"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """The plain schema, closed."""
        mapped: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**mapped, "additionalProperties": False}


class ContractSchema(AutoSchema):
    """The operations of one ServiceView."""

    view: ServiceView  # type: ignore[override]

    def get_operation_id(self) -> str:
        """`postLoginVerify`: the method and the path."""
        words = re.findall(r"[a-z]+", self.path.removeprefix("/api/v1/"))
        return "".join([self.method.lower(), *(word.capitalize() for word in words)])

    def get_summary(self) -> str:
        """The first line of the method's docstring."""
        return self._docstring().partition("\n")[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]
        """The rest of the docstring, and what the caller must be."""
        told = [self._docstring().partition("\n")[2].strip()]
        if self._needs_fresh():
            told.append(
                "With an access token a second factor must have been proved lately "
                "(REAUTHENTICATION_SECONDS, by default 300): see `reauthenticate/`."
            )
        if self.view.role:
            told.append(f"Needs the role `{self.view.role}`.")
        return "\n\n".join(filter(None, told))

    def _docstring(self) -> str:
        lines = (getattr(self.view, self.method.lower()).__doc__ or "").strip().splitlines()
        return "\n".join(line.strip() for line in lines)

    def get_tags(self) -> list[str]:
        """The first word of the path."""
        return [self.path.removeprefix("/api/v1/").partition("/")[0]]

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Which bearer token opens it; the roles that it must bear stand in the requirement."""
        return [{scheme: [self.view.role] if self.view.role else []} for scheme in BEARERS[self.view.bearer]]

    def get_request_serializer(self) -> Any:
        """The body of a view."""
        return None if self.method in self.view.without_body else getattr(self.view, "body_class", None)

    def _get_request_body(self, direction: Any = "request") -> Any:
        """drf-spectacular tells of no body at DELETE; one that proves who asks is told here."""
        if self.get_request_serializer() is None:
            return None
        method = self.method
        self.method = "POST" if method in METHODS_WITH_BODY else method
        try:
            return super()._get_request_body(direction)
        finally:
            self.method = method

    def get_response_serializers(self) -> Any:
        """The successes of a method, most have one: a status and a serializer, or None for an empty answer."""
        told = [self.view.answers, self.view.other_answers]
        found = [answers[self.method] for answers in told if self.method in answers]
        shown = {(status, self.view.media_type): serializer for status, serializer in found}
        others = {
            (status, kind): OpenApiTypes.STR for status, _ in found[:1] for kind in self.view.other_media
        }
        return {**shown, **others}

    def get_override_parameters(self) -> list[Any]:
        """The headers and query parameters that a view declares; these narrow what is read."""
        reads = self.method == "GET"
        return [one for one in self.view.parameters if reads or one.location != OpenApiParameter.QUERY]

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Everything above, with headers, examples and problems. An adopting project's own views are not told here."""
        view_class: type = type(self.view)
        if not issubclass(view_class, ServiceView):
            return None
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/RequestId"})
        operation.setdefault("security", [])
        if "requestBody" in operation:
            _add_examples(operation["requestBody"]["content"])
        for answer in operation["responses"].values():
            answer["description"] = answer["description"] or self.get_summary()
            answer["headers"] = answer_headers(ANSWER_HEADERS, LIMITED_HEADERS)
            _add_examples(answer.get("content", {}), self.view.example)
            for kind, example in self.view.other_media.items():
                answer["content"][kind]["example"] = example
        operation["responses"].update(problem_answers(self._problems()))
        operation["responses"].update(oauth_answers(getattr(self.view, "oauth_errors", ())))
        return operation

    def _needs_fresh(self) -> bool:
        return self.view.needs_fresh(self.method) or self.view.bearer == "grant"

    def _may_come_by_cookie(self) -> bool:
        """Whether another site might make a browser send this: a cookie opens it, or its tokens become cookies."""
        by_cookie = self.view.bearer not in ("", "client") or DELIVERY in self.view.parameters
        return by_cookie and self.method != "GET"

    def _problems(self) -> Iterable[Code]:
        """Every problem that the operation can answer."""
        yield from (Code.RATE_LIMITED, Code.INTERNAL_ERROR, Code.SERVICE_UNAVAILABLE, *self.view.problems)
        yield from self.view.problems_of.get(self.method, ())
        if self.view.bearer not in ("", "client"):
            yield Code.INVALID_TOKEN
        if self.view.bearer in ("access", "grant") and not self.view.opens_before_change:
            yield Code.PASSWORD_CHANGE_REQUIRED
        if self._may_come_by_cookie():
            yield Code.CSRF_FAILED
        if self._needs_fresh():
            yield Code.REAUTHENTICATION_REQUIRED
        if self.view.role:
            yield Code.PERMISSION_DENIED
        if "{" in self.path:
            yield Code.NOT_FOUND
        if self.get_request_serializer() and self.method in METHODS_WITH_BODY:
            yield from (Code.PAYLOAD_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE)
            if not hasattr(self.view, "oauth_errors"):
                yield Code.VALIDATION_FAILED
        elif any(one.location == OpenApiParameter.QUERY for one in self.get_override_parameters()):
            yield Code.VALIDATION_FAILED


def _add_examples(content: dict[str, Any], example: str = "") -> None:
    """The examples of a component, one that has none is a warning; of plain text the view's own."""
    for media in content.values():
        if example:
            media["example"] = example
        name = media["schema"].get("$ref", "").rpartition("/")[2]
        if not name:
            continue
        if name not in EXAMPLES:
            warn(f"no example of {name} in secure_auth.api.examples")
        media["examples"] = {key: {"value": value} for key, value in EXAMPLES.get(name, {}).items()}
