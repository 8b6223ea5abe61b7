"""The settings of docs/adopting.md."""

from secure_auth.settings import *  # noqa: F403
from secure_auth.settings import INSTALLED_APPS, MIDDLEWARE, REST_FRAMEWORK

INSTALLED_APPS = [*INSTALLED_APPS, "tests.adopting.shop"]
MIDDLEWARE = [*MIDDLEWARE, "secure_auth.adopting.middleware.AccessTokenMiddleware"]
ROOT_URLCONF = "tests.adopting.urls"
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_AUTHENTICATION_CLASSES": ["secure_auth.adopting.rest.AccessTokenAuthentication"],
}
