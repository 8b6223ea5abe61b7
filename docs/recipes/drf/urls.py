"""Two views: one for everybody with a token, one for auditors."""

from access import IsAuditor
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView


class WhoView(APIView):
    def get(self, request):
        return Response({"user": request.user.id, "roles": request.auth["roles"]})


class ReportsView(APIView):
    permission_classes = [IsAuthenticated, IsAuditor]

    def get(self, request):
        return Response({"reports": []})


urlpatterns = [path("", WhoView.as_view()), path("reports/", ReportsView.as_view())]
