"""The OpenAPI schema and its page."""

from typing import Any

from drf_spectacular.openapi import AutoSchema


class ContractSchema(AutoSchema):
    """What the views' classes tell about themselves."""

    def get_request_serializer(self) -> Any:
        """The body of a view."""
        return getattr(self.view, "body_class", None)

    def get_response_serializers(self) -> Any:
        """Answers."""
        return None
