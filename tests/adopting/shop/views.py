"""One view for each demand."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, Throttled
from rest_framework.permissions import IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from secure_auth.adopting.decorators import fresh_login_required, public, role_required, token_required
from secure_auth.adopting.rest import FreshLogin, HasRole
from tests.adopting.shop import MAX_AGE


def who(request: Any) -> dict[str, object]:
    user = request.user
    return {"user": user.pk if user is not None and user.is_authenticated else None}


def basket(request: HttpRequest) -> JsonResponse:
    """Says nothing about tokens."""
    return JsonResponse({**who(request), "session": request.auth_session.id})  # type: ignore[attr-defined]


@public
def window(request: HttpRequest) -> JsonResponse:
    return JsonResponse(who(request))


@public
@token_required
def account(request: HttpRequest) -> JsonResponse:
    return JsonResponse(who(request))


@fresh_login_required(max_age=MAX_AGE)
def refund(request: HttpRequest) -> JsonResponse:
    return JsonResponse(who(request))


@fresh_login_required(max_age=3600, acr_values=("aal2", "aal3"))
def payout(request: HttpRequest) -> JsonResponse:
    return JsonResponse(who(request))


@fresh_login_required(max_age=3600, acr_values=("aal3",))
def vault(request: HttpRequest) -> JsonResponse:
    return JsonResponse(who(request))


@role_required("auditor")
def books(request: HttpRequest) -> JsonResponse:
    return JsonResponse(who(request))


@permission_required("shop.change_book", raise_exception=True)
def ledgers(request: HttpRequest) -> JsonResponse:
    """Asks for a right of Django's, which no account has."""
    return JsonResponse(who(request))


def receipt(request: HttpRequest) -> JsonResponse:
    """May be kept, by the word of the project."""
    return JsonResponse(who(request), headers={"Cache-Control": "max-age=60"})


@cache_page(60)
@token_required
def kept_receipt(request: HttpRequest) -> JsonResponse:
    return JsonResponse(who(request))


@public
class Catalogue(View):
    def get(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse(who(request))


class Prices(Catalogue):
    """Public is not inherited."""

    @method_decorator(role_required("auditor"))
    def post(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse(who(request))


class Staff(APIView):
    """Asks for Django's mark of those who work here, which no account has."""

    permission_classes = [IsAdminUser]

    def get(self, request: Request) -> Response:
        return Response(who(request))


class Orders(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        signed: Any = request.auth
        return Response({**who(request), "session": signed.session.id})


class Refunds(APIView):
    permission_classes = [FreshLogin.within(MAX_AGE)]

    def get(self, request: Request) -> Response:
        return Response(who(request))


class Vaults(APIView):
    permission_classes = [FreshLogin.within(3600, acr_values=("aal3",))]

    def get(self, request: Request) -> Response:
        return Response(who(request))


class Ledger(APIView):
    permission_classes = [HasRole.named("auditor")]

    def get(self, request: Request) -> Response:
        return Response(who(request))


@public
class Offers(APIView):
    def get(self, request: Request) -> Response:
        return Response(who(request))


@public
class Wishes(APIView):
    """Exempt, and yet for somebody: DRF's own refusal."""

    permission_classes = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        return Response(who(request))


@public
class Gifts(APIView):
    """Exempt, and yet for who proved it lately."""

    permission_classes = [FreshLogin]

    def get(self, request: Request) -> Response:
        signed: Any = request.auth
        return Response({**who(request), "session": signed.session.id})


class SoldOut(APIException):
    status_code = 409
    default_detail = "Somebody else was faster."
    default_code = "sold_out"


class Unmarked(APIException):
    """Its words are set by itself: not the framework's kind of string, which bears a code."""

    status_code = 402
    default_code = "unpaid"

    def __init__(self, words: Any) -> None:
        self.detail = words


@public
class LastPieces(APIView):
    """Refuses in words of its own."""

    def get(self, request: Request) -> Response:
        raise SoldOut


@public
class Busy(APIView):
    """Has a rate of its own."""

    def get(self, request: Request) -> Response:
        raise Throttled(wait=12.3)


@public
class Odd(APIView):
    """A status of nobody else, refusals that are explained, and one that is not."""

    def get(self, request: Request, what: str) -> Response:
        odd = SoldOut()
        odd.status_code = 499
        refusals = {
            "odd": odd,
            "closed": PermissionDenied("Closed on Sundays."),
            "gone": NotFound("Ask next year."),
            "listed": PermissionDenied({"day": ["Closed on Sundays.", "Come on Monday."]}),
            "unmarked": Unmarked("Pay first."),
            "nested": Unmarked({"why": ["Pay first.", "In cash."]}),
        }
        raise refusals.get(what, PermissionDenied())
