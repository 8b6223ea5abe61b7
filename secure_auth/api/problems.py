"""Every failure of a JSON view as a problem document: one exception handler for all.

What an adopting project's views raise keeps the status and the words that the project gave it.
"""

import math
from http.client import responses
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from secure_auth.errors import Code, FieldError, Problem, invalid_token, missing_token, service_unavailable
from secure_auth.problem_details import MEDIA_TYPE, document
from throttling.reservations import LimitExceeded, StoreUnavailable

log = structlog.get_logger(__name__)

CODES: dict[type[Exception], Code] = {
    exceptions.ParseError: Code.VALIDATION_FAILED,
    exceptions.UnsupportedMediaType: Code.UNSUPPORTED_MEDIA_TYPE,
    exceptions.NotFound: Code.NOT_FOUND,
    exceptions.NotAcceptable: Code.NOT_ACCEPTABLE,
    exceptions.PermissionDenied: Code.PERMISSION_DENIED,
    Http404: Code.NOT_FOUND,
    PermissionDenied: Code.PERMISSION_DENIED,
    RequestDataTooBig: Code.PAYLOAD_TOO_LARGE,
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler; None leaves the error to Django, which answers 500 by handler500."""
    request = context["request"]
    request_id = getattr(request._request, "request_id", "")
    problem = as_problem(error)
    if problem is not None:
        cause = problem.__cause__
        if isinstance(cause, LimitExceeded) and cause.is_repeated:
            request._request.is_counted = (
                True  # what cost no store call is not made to cost one by counting it
            )
        response = Response(
            document(problem, request_id), status=problem.code.status, headers=problem.headers
        )
    elif isinstance(error, exceptions.APIException):
        response = Response(_document_of_project(error, request_id), status=error.status_code)
    else:
        return None
    response.content_type = MEDIA_TYPE
    return response


def as_problem(error: Exception) -> Problem | None:
    """The problem that an exception stands for; None for a fault of ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, exceptions.ValidationError):
        return Problem(Code.VALIDATION_FAILED, errors=dict(_field_errors(error.detail)))
    if isinstance(error, exceptions.MethodNotAllowed):
        return Problem(Code.METHOD_NOT_ALLOWED)
    if isinstance(error, exceptions.NotAuthenticated):
        return missing_token()
    if isinstance(error, exceptions.AuthenticationFailed):
        return invalid_token()
    if isinstance(error, exceptions.Throttled):
        wait_seconds = math.ceil(getattr(error, "wait", None) or 1)  # a throttle may not know
        return Problem(Code.RATE_LIMITED, headers={"Retry-After": str(wait_seconds)})
    if isinstance(error, OperationalError | InterfaceError | StoreUnavailable):
        log.error("store.unavailable", error=type(error).__name__)
        return service_unavailable(2)
    code = next((code for kind, code in CODES.items() if isinstance(error, kind)), None)
    return Problem(code, detail=_words_of_project(error)) if code else None


def _words_of_project(error: Exception) -> str:
    """What a project's view says of its own refusal; never the framework's own words, which may repeat input."""
    if not isinstance(error, exceptions.PermissionDenied | exceptions.NotFound):
        return ""
    return _joined(_leaves(error.detail)) if error.detail != error.default_detail else ""


def _document_of_project(error: exceptions.APIException, request_id: str) -> dict[str, Any]:
    """The document of what no code of ours stands for (RFC 9457 section 4.2.1)."""
    faults = _leaves(error.detail, str(error.default_code))
    return {
        "type": "about:blank",
        "title": responses.get(error.status_code, "Refused"),
        "status": error.status_code,
        "detail": _joined(faults),
        "code": str(faults[0].code) if faults else str(error.default_code),
        "request_id": request_id,
    }


def _field_errors(detail: Any) -> list[tuple[str, list[FieldError]]]:
    """DRF's nested details as a flat list by field."""
    if not isinstance(detail, dict):
        detail = {"": detail}
    return [
        (str(name)[:64], [FieldError(str(fault.code), str(fault)) for fault in _leaves(faults)])
        for name, faults in detail.items()
    ]


def _joined(faults: list[exceptions.ErrorDetail]) -> str:
    return " ".join(str(fault) for fault in faults)


def _leaves(faults: Any, code: str = "invalid") -> list[exceptions.ErrorDetail]:
    """`code`: of words that a project's exception set by itself, without the framework's marks."""
    if isinstance(faults, dict):
        faults = list(faults.values())
    if isinstance(faults, list | tuple):
        return [leaf for fault in faults for leaf in _leaves(fault, code)]
    marked = isinstance(faults, exceptions.ErrorDetail)
    return [faults if marked else exceptions.ErrorDetail(str(faults), code)]
