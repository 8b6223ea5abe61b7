"""The service's addresses beside the shop's."""

from django.urls import include, path

from secure_auth.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", include("secure_auth.urls")),
    path("shop/", include("tests.adopting.shop.urls")),
]
