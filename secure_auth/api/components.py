"""What the operations of the schema share: problem documents, response headers, tokens, and the public addresses."""

from collections.abc import Iterable, Mapping
from typing import Any

from secure_auth.api.public import public_paths
from secure_auth.errors import Code

OR = "-or-"  # in the name of a response that several problems share
REQUEST_ID = "01932f4e-7c3a-7d10-9c2f-3b6f0a1d8e55"
ANSWER_HEADERS = ("X-Request-ID",)
LIMITED_HEADERS = ("RateLimit", "RateLimit-Policy")
WITH_CHALLENGE = frozenset({Code.INVALID_TOKEN, Code.REAUTHENTICATION_REQUIRED})
WITH_RETRY = frozenset({Code.RATE_LIMITED, Code.TEMPORARILY_LOCKED, Code.SERVICE_UNAVAILABLE})
HEADERS = {
    "X-Request-ID": (
        "string",
        "The request's id: the client's own where it was valid, else a new one.",
        REQUEST_ID,
    ),
    "Retry-After": ("integer", "Seconds to wait.", 30),
    "RateLimit": ("string", "What is left of the tightest rate that applies.", '"requests";r=598;t=41'),
    "RateLimit-Policy": (
        "string",
        "That rate: requests, and the seconds for which each counts at most.",
        '"requests";q=600;w=61',
    ),
    "WWW-Authenticate": (
        "string",
        "The challenge (RFC 6750, RFC 9470) of `invalid_token` and `reauthentication_required`.",
        'Bearer error="invalid_token"',
    ),
}
FAULT = {
    "type": "object",
    "properties": {"code": {"type": "string"}, "detail": {"type": "string"}},
    "required": ["code", "detail"],
}
PROBLEM = {
    "type": "object",
    "description": "A problem document (RFC 9457). Programs read `code`, which is stable.",
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "A page that explains it to a person."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": [code.slug for code in Code]},
        "request_id": {"type": "string"},
        "clock_offset_seconds": {
            "type": "integer",
            "description": "With `invalid_code` at an enrolment, where the code belongs to a time within ten minutes: "
            "how far the device's clock is ahead, or behind (negative).",
        },
        "errors": {
            "type": "object",
            "description": "With `validation_failed`: the faults of each field.",
            "additionalProperties": {"type": "array", "items": FAULT},
        },
    },
    "required": ["type", "title", "status", "detail", "code", "request_id"],
}
TOKENS = {
    "partialToken": "The partial token of login/: it opens the second step, or the enrolment of a first factor.",
    "accessToken": "The access token of a completed login. Roles in a requirement are those the account must have.",
}
COOKIES = {
    "partialCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-partial",
        "description": "The partial token where `X-Token-Delivery: cookie` asked for it, with `X-CSRF-Token`.",
    },
    "accessCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-access",
        "description": "The access token as a cookie; what is not a GET needs `X-CSRF-Token` too.",
    },
}
CLIENT_CREDENTIALS = {
    "type": "http",
    "scheme": "basic",
    "description": "The id and secret that `create_client` printed (RFC 6749 section 2.3.1).",
}
OAUTH_ERROR = {
    "type": "object",
    "description": "An error of RFC 6749 section 5.2.",
    "properties": {
        "error": {"type": "string", "enum": ["invalid_request", "invalid_client"]},
        "error_description": {"type": "string"},
    },
    "required": ["error"],
}
METRICS_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "The setting `METRICS_TOKEN`. Where it is unset, the address is unknown.",
}
GUARDED = (
    Code.INVALID_TOKEN,
    Code.NOT_FOUND,
    Code.RATE_LIMITED,
    Code.INTERNAL_ERROR,
    Code.SERVICE_UNAVAILABLE,
)


def answer_headers(*groups: Iterable[str]) -> dict[str, Any]:
    """References to shared headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for names in groups for name in names}


def oauth_answers(statuses: Iterable[int]) -> dict[str, Any]:
    """The errors of RFC 6749 section 5.2."""
    schema = {"$ref": "#/components/schemas/OAuthError"}
    headers = answer_headers(ANSWER_HEADERS, LIMITED_HEADERS)
    challenged = answer_headers(ANSWER_HEADERS, LIMITED_HEADERS, ["WWW-Authenticate"])
    told = {400: ("invalid_request", headers), 401: ("invalid_client", challenged)}
    return {
        str(status): {
            "description": f"`{told[status][0]}`",
            "headers": told[status][1],
            "content": {"application/json": {"schema": schema, "example": {"error": told[status][0]}}},
        }
        for status in statuses
    }


def problem_answers(codes: Iterable[Code]) -> dict[str, Any]:
    """One shared response for each status among the problems that an operation can answer."""
    wanted = set(codes)
    by_status: dict[str, list[str]] = {}
    for code in Code:
        if code in wanted:
            by_status.setdefault(str(code.status), []).append(code.slug)
    return {
        status: {"$ref": f"#/components/responses/{OR.join(slugs)}"}
        for status, slugs in sorted(by_status.items())
    }


def _problem_answer(codes: list[Code]) -> dict[str, Any]:
    slugs = [code.slug for code in codes]
    headers = [*ANSWER_HEADERS, *LIMITED_HEADERS]
    headers += ["WWW-Authenticate"] if WITH_CHALLENGE & set(codes) else []
    headers += ["Retry-After"] if WITH_RETRY & set(codes) else []
    schema = {"$ref": "#/components/schemas/Problem", "properties": {"code": {"enum": slugs}}}
    examples = {slug: {"$ref": f"#/components/examples/{slug}"} for slug in slugs}
    return {
        "description": "; ".join(f"`{code.slug}`: {code.title}" for code in codes),
        "headers": answer_headers(headers),
        "content": {"application/problem+json": {"schema": schema, "examples": examples}},
    }


def _problem_example(code: Code) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": f"https://auth.example.com/problems/{code.slug}/",
        "title": code.title,
        "status": code.status,
        "detail": code.meaning,
        "code": code.slug,
        "request_id": REQUEST_ID,
    }
    if code is Code.VALIDATION_FAILED:
        document["errors"] = {"email": [{"code": "required", "detail": "This field is required."}]}
    return {"summary": code.title, "value": document}


def _header(kind: str, description: str, example: object) -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}, "example": example}


def add_shared_parts(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """drf-spectacular's postprocessing hook: what is no operation of a JSON view."""
    components: dict[str, Any] = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["schemas"]["OAuthError"] = OAUTH_ERROR
    components["headers"] = {name: _header(*told) for name, told in HEADERS.items()}
    components["parameters"] = {
        "RequestId": {
            "name": "X-Request-ID",
            "in": "header",
            "description": "An id of the client's own for this request; it comes back in the answer.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        }
    }
    components["securitySchemes"] = {
        name: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": told}
        for name, told in TOKENS.items()
    }
    components["securitySchemes"] |= COOKIES
    components["securitySchemes"]["metricsToken"] = METRICS_TOKEN
    components["securitySchemes"]["clientCredentials"] = CLIENT_CREDENTIALS
    result["paths"] |= public_paths(
        headers=answer_headers(ANSWER_HEADERS),
        limited=answer_headers(ANSWER_HEADERS, LIMITED_HEADERS),
        failures=problem_answers([Code.RATE_LIMITED, Code.INTERNAL_ERROR, Code.SERVICE_UNAVAILABLE]),
        guarded=problem_answers(GUARDED),
    )
    used = _problems_used(result["paths"])
    components["responses"] = {OR.join(code.slug for code in codes): _problem_answer(codes) for codes in used}
    components["examples"] = {
        code.slug: _problem_example(code) for code in Code if any(code in codes for codes in used)
    }
    return result


def _problems_used(paths: Mapping[str, Any]) -> list[list[Code]]:
    """The sets of problems that some operation refers to, each as it stands in the name of a shared response."""
    names = {
        answer["$ref"].rpartition("/")[2]
        for path in paths.values()
        for operation in path.values()
        for answer in operation["responses"].values()
        if "$ref" in answer
    }
    return [[Code[slug.upper()] for slug in name.split(OR)] for name in sorted(names)]
