"""A FastAPI application whose callers bear access tokens of Secure Auth, with roles and step-up (RFC 9470)."""

import os
import time
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from keys import Keys

ISSUER = os.environ["ISSUER"]  # TOKEN_ISSUER of the service, which by default is its ORIGIN
AUDIENCE = os.environ.get("AUDIENCE", ISSUER)  # TOKEN_AUDIENCE
KEYS = Keys(f"{ISSUER}/.well-known/jwks.json", lifespan=300, timeout=5)
LEEWAY_SECONDS = 30  # between the clocks: PyJWT refuses a token whose `iat` is to come
REQUIRED = ["iss", "aud", "sub", "exp", "iat", "auth_time", "token_type"]

app = FastAPI()
bearer = HTTPBearer(auto_error=False)


def unauthorized(challenge: str) -> HTTPException:
    return HTTPException(401, headers={"WWW-Authenticate": challenge})


def read_claims(shown: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> dict[str, Any]:
    """The claims of a valid access token. The algorithm is the key's, whatever the header says."""
    if shown is None:
        raise unauthorized("Bearer")
    try:
        key = KEYS.get_signing_key_from_jwt(shown.credentials)
        token = jwt.decode_complete(
            shown.credentials,
            key,
            algorithms=[key.algorithm_name],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED, "strict_aud": True},
        )
    except jwt.PyJWKClientConnectionError as error:
        raise HTTPException(503, headers={"Retry-After": "1"}) from error
    except jwt.PyJWTError as error:
        raise unauthorized('Bearer error="invalid_token"') from error
    if token["header"].get("typ") != "at+jwt" or token["payload"]["token_type"] != "access":
        raise unauthorized('Bearer error="invalid_token"')
    claims: dict[str, Any] = token["payload"]
    return claims


Claims = Annotated[dict[str, Any], Depends(read_claims)]


def role(name: str) -> Any:
    """The role is the token's: one taken away is seen with the next token."""

    def demand(claims: Claims) -> None:
        if name not in claims.get("roles", []):
            raise HTTPException(403)

    return Depends(demand)


def max_age(seconds: int) -> Any:
    """A second factor proved within so many seconds. The client answers the challenge at `reauthenticate/`."""

    def demand(claims: Claims) -> None:
        if time.time() - claims["auth_time"] > seconds:
            raise unauthorized(f'Bearer error="insufficient_user_authentication", max_age={seconds}')

    return Depends(demand)


@app.get("/")
def who(claims: Claims) -> dict[str, Any]:
    return {"user": claims["sub"], "roles": claims["roles"]}


@app.get("/reports/", dependencies=[role("auditor")])
def reports() -> dict[str, Any]:
    return {"reports": []}


@app.post("/transfers/", dependencies=[max_age(300)])
def transfer(claims: Claims) -> dict[str, Any]:
    return {"by": claims["sub"]}
