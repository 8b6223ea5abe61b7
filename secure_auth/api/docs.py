"""The OpenAPI schema and the page that shows it, from files of this service alone."""

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


class SchemaView(SpectacularAPIView):
    """GET /api/schema/."""


class DocsView(SpectacularSwaggerSplitView):
    """GET /api/docs/."""


class DocsScriptView(SpectacularSwaggerSplitView):
    """GET /api/docs/script.js."""
