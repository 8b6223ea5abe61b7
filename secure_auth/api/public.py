"""The addresses outside /api/v1/ in the schema: keys, probes, contact, and the schema itself."""

from collections.abc import Callable
from functools import partial
from typing import Any

STATUS = {"type": "string", "enum": ["ok", "away"]}
HEALTH = {"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]}
READINESS = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["ready", "unavailable"]},
        "checks": {
            "type": "object",
            "properties": {
                "database": STATUS,
                "redis": STATUS,
                "keys": {
                    "const": "closed",
                    "description": "Only where the master key does not open the key rings.",
                },
            },
            "required": ["database"],
        },
        "warnings": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["status", "checks", "warnings"],
}
KEY_SET = {
    "type": "object",
    "description": "A JWK Set (RFC 7517). `kid` is the one in a token's header.",
    "properties": {
        "keys": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "kty": {"type": "string", "enum": ["EC", "OKP"]},
                    "crv": {"type": "string", "enum": ["P-256", "Ed25519"]},
                    "kid": {"type": "string"},
                    "alg": {"type": "string", "enum": ["ES256", "EdDSA"]},
                    "use": {"const": "sig"},
                    "x": {"type": "string"},
                    "y": {"type": "string"},
                },
                "required": ["kty", "crv", "kid", "alg", "use", "x"],
            },
        }
    },
    "required": ["keys"],
}
KEY_EXAMPLE = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "Q2xpZmZvcmQ",
    "alg": "ES256",
    "use": "sig",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
ORIGINS = {
    "type": "object",
    "properties": {"origins": {"type": "array", "items": {"type": "string", "format": "uri"}}},
    "required": ["origins"],
}
UNREADY = {"status": "unavailable", "checks": {"database": "away"}, "warnings": []}
READY = {"status": "ready", "checks": {"database": "ok", "redis": "ok"}, "warnings": []}
FORMAT = {
    "name": "format",
    "in": "query",
    "description": "Wins over the Accept header.",
    "schema": {"type": "string", "enum": ["yaml", "json"]},
}


COUNTERS = """# HELP secure_auth_lockouts_total Failures that exhausted a limit: locks that began.
# TYPE secure_auth_lockouts_total counter
secure_auth_lockouts_total{limit="password_account_source"} 3.0
"""


Get = Callable[..., dict[str, Any]]


def public_paths(
    *, headers: dict[str, Any], limited: dict[str, Any], failures: dict[str, Any], guarded: dict[str, Any]
) -> dict[str, Any]:
    """The paths. `limited` and `failures` are the headers and problems of what counts against the source's limit,
    `guarded` the problems of what takes the token of the metrics.
    """
    counted = partial(_get, headers=limited, failures=failures)
    uncounted = partial(_get, headers=headers, failures={"500": failures["500"]})
    return _documents(counted) | _probes(uncounted, guarded)


def _get(
    operation_id: str,
    summary: str,
    answers: dict[str, Any],
    *,
    headers: dict[str, Any],
    failures: dict[str, Any],
    parameters: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    """A path that is only read, by anybody."""
    told = {code: {**answer, "headers": headers} for code, answer in answers.items()}
    return {
        "get": {
            "operationId": operation_id,
            "summary": summary,
            "tags": ["service"],
            "parameters": [*parameters, {"$ref": "#/components/parameters/RequestId"}],
            "security": [],
            "responses": told | failures,
        }
    }


def _documents(get: Get) -> dict[str, Any]:
    """Keys, contact and schema."""
    keys = _content("application/jwk-set+json", KEY_SET, {"keys": [KEY_EXAMPLE]})
    same = {"description": "The set is the one whose `ETag` stands in `If-None-Match`"}
    other = {"description": "`If-Match` names no `ETag` of the present set; no body"}
    text = {"text/plain": _example("Contact: mailto:security@auth.example.com\n")}
    document = {"schema": {"type": "object"}, "example": {"openapi": "3.1.0"}}
    schema = {"application/vnd.oai.openapi": document, "application/json": document}
    return {
        "/.well-known/jwks.json": get(
            "getJwks",
            "The public signing keys",
            {"200": _answer("The key set", keys), "304": same, "412": other},
        ),
        "/.well-known/webauthn": get(
            "getWebauthn",
            "The origins whose pages may use the passkeys (WebAuthn Level 3)",
            {"200": _answer("The origins", _json(ORIGINS, {"origins": ["https://auth.example.com"]}))},
        ),
        "/.well-known/security.txt": get(
            "getSecurityTxt", "Whom to tell of a fault (RFC 9116)", {"200": _answer("The contact", text)}
        ),
        "/api/schema/": get(
            "getSchema",
            "This document",
            {"200": _answer("As YAML or JSON", schema)},
            parameters=(FORMAT,),
        ),
    }


def _probes(get: Get, guarded: dict[str, Any]) -> dict[str, Any]:
    """What those who run the service ask; no limit counts it."""
    counters = _answer("The counters", {"text/plain": _example(COUNTERS)})
    ready = {
        "200": _answer("They do", _json(READINESS, READY)),
        "503": _answer("The database is away, or the key rings do not open", _json(READINESS, UNREADY)),
    }
    metrics = get("getMetrics", "Counters of this node, for Prometheus", {"200": counters})
    health = {"200": _answer("It does", _json(HEALTH, {"status": "ok"}))}
    return {
        "/metrics": _guarded(metrics, guarded),
        "/healthz": get("getHealthz", "Whether the process answers", health),
        "/readyz": get("getReadyz", "Whether its stores answer too", ready),
    }


def _guarded(path: dict[str, Any], problems: dict[str, Any]) -> dict[str, Any]:
    """A path that takes the token of the metrics; right ones count against no limit."""
    operation = path["get"]
    operation["security"] = [{"metricsToken": []}]
    operation["responses"] |= problems
    return path


def _example(text: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "example": text}


def _answer(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": content}


def _json(schema: dict[str, Any], example: object) -> dict[str, Any]:
    return _content("application/json", schema, example)


def _content(media_type: str, schema: dict[str, Any], example: object) -> dict[str, Any]:
    return {media_type: {"schema": schema, "example": example}}
