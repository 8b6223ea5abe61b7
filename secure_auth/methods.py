"""Methods of the plain views: a refusal is a problem document like any other."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from secure_auth.errors import Code, Problem
from secure_auth.problem_details import problem_response

SAFE = ("GET", "HEAD")


def safe_methods(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let GET and HEAD through."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in SAFE:
            return view(request, *args, **kwargs)
        return problem_response(Problem(Code.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(SAFE)}), request)

    return guarded
