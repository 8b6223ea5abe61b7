"""The endpoints that both projects have: password to token, refresh, and who am I."""

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView


class Me(APIView):
    """GET: the account of the token."""

    def get(self, request: Request) -> Response:
        user: Any = request.user
        return Response({"id": user.pk, "email": user.email})


urlpatterns = [
    path("api/v1/login/", TokenObtainPairView.as_view()),
    path("api/v1/token/refresh/", TokenRefreshView.as_view()),
    path("api/v1/me/", Me.as_view()),
]
