"""RFC 9457 problem documents: one shape for every failure, no stack trace, no secret."""

from itertools import islice
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from secure_auth.errors import Code, Problem

MEDIA_TYPE = "application/problem+json"
MOST_FIELDS: Final = 50  # an answer is not many times its request, whatever a stranger sends
MOST_FAULTS: Final = 50  # of a field that is a list or an object


def document(problem: Problem, request_id: str) -> dict[str, Any]:
    """The body of a problem."""
    code = problem.code
    body: dict[str, Any] = {
        "type": f"{settings.ORIGIN}/problems/{code.slug}/",
        "title": code.title,
        "status": code.status,
        "detail": problem.detail or code.meaning,
        "code": code.slug,
        "request_id": request_id,
        **problem.members,
    }
    if code is Code.VALIDATION_FAILED:
        body["errors"] = {
            name: [{"code": fault.code, "detail": fault.detail} for fault in islice(faults, MOST_FAULTS)]
            for name, faults in islice(problem.errors.items(), MOST_FIELDS)
        }
    return body


def problem_response(problem: Problem, request: HttpRequest) -> JsonResponse:
    """A problem outside of the JSON views."""
    return JsonResponse(
        document(problem, getattr(request, "request_id", "")),
        status=problem.code.status,
        content_type=MEDIA_TYPE,
        headers=problem.headers,
    )
