"""A Django REST framework project whose callers bear access tokens of Secure Auth. It needs no database for that."""

import os

ISSUER = os.environ["ISSUER"]  # TOKEN_ISSUER of the service, which by default is its ORIGIN
AUDIENCE = os.environ.get("AUDIENCE", ISSUER)  # TOKEN_AUDIENCE
SECRET_KEY = os.environ["SECRET_KEY"]  # Django's own; it verifies no token
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SIMPLE_JWT = {
    "ALGORITHM": "ES256",  # SIGNING_ALGORITHM of the service; nothing else is accepted, whatever a header says
    "SIGNING_KEY": None,  # this project signs nothing
    "JWK_URL": f"{ISSUER}/.well-known/jwks.json",  # kept for five minutes
    "ISSUER": ISSUER,
    "AUDIENCE": AUDIENCE,
    "LEEWAY": 30,  # seconds between the clocks: PyJWT refuses a token whose `iat` is to come
    "USER_ID_CLAIM": "sub",
    "AUTH_TOKEN_CLASSES": ["access.AccessToken"],
}
