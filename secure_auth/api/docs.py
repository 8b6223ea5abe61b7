"""The OpenAPI schema and the page that shows it, from files of this service alone.

The page's policy allows this origin's scripts, styles, images and requests and nothing else: no inline code, no other
host. The schema is made once a process: it changes only with the code.
"""

import threading
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.vary import vary_on_headers
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

from secure_auth.plain_views import at_origin, safe_methods

JSON_TYPES = ("application/json", "application/vnd.oai.openapi+json")
YAML_TYPES = ("application/vnd.oai.openapi", "application/yaml", "application/x-yaml", "text/yaml")
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

# drf-spectacular prepares its extensions in place, and fails who comes meanwhile.
_making = threading.Lock()


@lru_cache(maxsize=1)
def _document() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


@lru_cache(maxsize=2)
def _rendered(renderer: type) -> bytes:
    rendered: bytes = renderer().render(_document(), renderer_context={})
    return rendered


def _media_type(request: HttpRequest) -> str:
    """`format`, else the best of Accept; YAML where a client wants neither."""
    wanted = request.GET.get("format")
    if wanted in ("json", "yaml"):
        return "application/json" if wanted == "json" else YAML_TYPES[0]
    try:
        return request.get_preferred_type([*YAML_TYPES, *JSON_TYPES]) or YAML_TYPES[0]
    except ValueError:  # an Accept that cannot be read (RFC 2231 parameters in a charset that is none)
        return YAML_TYPES[0]


@safe_methods
@vary_on_headers("Accept")
def schema(request: HttpRequest) -> HttpResponse:
    """The schema as YAML, or as JSON by the Accept header or `?format=json`."""
    media_type = _media_type(request)
    renderer = OpenApiJsonRenderer if media_type in JSON_TYPES else OpenApiYamlRenderer
    with _making:
        body = _rendered(renderer)
    response = HttpResponse(body, content_type=media_type)
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@safe_methods
@at_origin
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI."""
    response = render(request, "api/docs.html", {"product": settings.PRODUCT_NAME})
    response.headers["Content-Security-Policy"] = DOCS_POLICY
    return response
