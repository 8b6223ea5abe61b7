"""What the JSON views share: strict serializers, the kinds of bearer, the source of a request."""

from functools import cache
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.validators import ProhibitSurrogateCharactersValidator
from rest_framework.views import APIView

from audit.events import Reason, Source
from secure_auth import access, demands, pending, refusals, tokens
from secure_auth.access import Signed
from secure_auth.api import cookies
from secure_auth.api.bearer import Presented, read_token
from secure_auth.api.parameters import DELIVERY
from secure_auth.api.parsers import StrictJSONParser
from secure_auth.browsers import is_own_origin, read_cookie
from secure_auth.errors import Code, invalid_token
from secure_auth.grants import Grant
from secure_auth.models import PendingLogin
from secure_auth.plain_views import route_of

TEXT = "text/plain; charset=utf-8"


class JSONOnly(BaseContentNegotiation):
    """The API speaks JSON, whatever a client accepts."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """The parser whose media type this is."""
        wanted = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == wanted), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """The only one."""
        return renderers[0], renderers[0].media_type


class Text(serializers.CharField):
    """A string that is taken as it is: numbers and booleans are no strings, blanks stay."""

    def __init__(self, **options: Any) -> None:
        shortest = {} if options.get("allow_blank") else {"min_length": 1}  # so that the schema tells it too
        super().__init__(**{"trim_whitespace": False, "max_length": 1024, **shortest, **options})
        # The parser refuses lone surrogates for a whole body; this one looks at each character of a token in Python.
        self.validators = [
            one for one in self.validators if not isinstance(one, ProhibitSurrogateCharactersValidator)
        ]

    def to_internal_value(self, data: Any) -> str:
        """Refuse what is not a string."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Flag(serializers.BooleanField):
    """true or false, nothing that merely looks like it."""

    def to_internal_value(self, data: Any) -> bool:
        """Refuse what is not a boolean."""
        if not isinstance(data, bool):
            self.fail("invalid", input="")
        return bool(data)


class Body(serializers.Serializer):
    """A request body: an unknown field is an error, so that a typo never passes silently."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse fields that are not declared."""
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        if unknown:
            fault = serializers.ErrorDetail("This field is not known here.", code="unknown_field")
            raise serializers.ValidationError({name: [fault] for name in sorted(unknown)})
        return super().to_internal_value(data)


class ServiceView(APIView):
    """A view that judges method, then token, then body.

    `answers` (by method: status, serializer), `parameters` and the `problems` of its use case are for the schema.
    """

    # whatever an adopting project's defaults are
    content_negotiation_class = JSONOnly
    parser_classes: Any = (StrictJSONParser,)
    renderer_classes = (JSONRenderer,)
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    versioning_class = None
    body_class: ClassVar[type[Body]]
    without_body: ClassVar[tuple[str, ...]] = ()  # methods that take none where others do
    limits_source_itself: ClassVar[bool] = False
    has_device_lane: ClassVar[bool] = False  # limits of its own for a known device
    bearer: ClassVar[str] = ""
    role: ClassVar[str] = ""
    fresh: ClassVar[bool] = False
    fresh_methods: ClassVar[tuple[str, ...]] = ()  # where not every method needs it
    opens_before_change: ClassVar[bool] = False  # to an account that must change its password first
    answers: ClassVar[dict[str, tuple[int, Any]]]
    other_answers: ClassVar[dict[str, tuple[int, Any]]] = {}
    media_type: ClassVar[str] = "application/json"
    example: ClassVar[str] = ""  # of an answer that is no JSON
    other_media: ClassVar[dict[str, str]] = {}  # of the same answer: an example of each further media type
    problems: ClassVar[tuple[Code, ...]] = ()
    problems_of: ClassVar[dict[str, tuple[Code, ...]]] = {}  # of one method alone
    parameters: ClassVar[tuple[OpenApiParameter, ...]] = ()
    signed: Signed
    grant: Grant

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse unknown methods before anything else is looked at, then the token."""
        if request.method not in self.allowed_methods or request.method == "OPTIONS":
            raise MethodNotAllowed(str(request.method))
        super().initial(request, *args, **kwargs)
        delivers = DELIVERY in self.parameters
        if delivers and cookies.wants_cookies(request) and not is_own_origin(request):
            # nobody is to be signed in to somebody else's account
            raise demands.cross_site(source=self.source)
        if self.bearer == "access":
            shown = read_token(request, cookies.ACCESS)
            self.signed = access.authenticate_access(shown.token, source=self.source)
            session = self.signed.session
            self.demand_own_site(shown, session.id, user=session.user_id, session=session.id)
            if not self.opens_before_change:
                demands.demand_settled_password(self.signed, source=self.source)
        elif self.bearer == "grant":
            self.grant = self._read_grant(request)
        if self.role:
            route = route_of(request._request)
            demands.demand_role(self.signed, self.role, source=self.source, path=request.path, route=route)
        if self.needs_fresh(request.method):
            demands.demand_fresh(self.signed, source=self.source)

    @classmethod
    def needs_fresh(cls, method: str) -> bool:
        """Whether a second factor must have been proved lately."""
        return cls.fresh or method in cls.fresh_methods

    def demand_own_site(self, shown: Presented, owner_id: str, *, user: str, session: str = "") -> None:
        """Refuse an unsafe request that another site may have made a browser send.

        Raises:
            Problem: csrf_failed.
        """
        if shown.by_cookie:
            self.request.is_opened_by_cookie = True  # type: ignore[attr-defined]
        if shown.by_cookie and cookies.is_forged(self.request, owner_id):
            raise demands.cross_site(source=self.source, user=user, session=session)

    def _read_grant(self, request: Request) -> Grant:
        """Who may bind an authenticator: a partial token of an enrolment, or a fresh access token.

        Raises:
            Problem: invalid_token, csrf_failed, password_change_required, reauthentication_required.
        """
        shown = self._shown_grant(request)
        if not tokens.is_partial(shown.token):
            signed = access.authenticate_access(shown.token, source=self.source)
            session = signed.session
            self.demand_own_site(shown, session.id, user=session.user_id, session=session.id)
            demands.demand_settled_password(signed, source=self.source)
            demands.demand_fresh(signed, source=self.source)
            return Grant(signed.user, session=session, amr=signed.amr)
        login = pending.find_pending(shown.token, source=self.source)
        if login.next != PendingLogin.Next.ENROLL:  # who has the password tries to bind a factor of their own
            tried = access.refused(Reason.ENROLMENT_CLOSED, source=self.source, user=login.user_id)
            refusals.record_collapsed(tried, key=login.id)
            raise invalid_token()
        self.demand_own_site(shown, login.id, user=login.user_id)
        return Grant(login.user, login=login)

    def _shown_grant(self, request: Request) -> Presented:
        """The partial token where it enrols; beside a login whose second step is open, the session's token."""
        shown = read_token(request, cookies.PARTIAL, cookies.ACCESS)
        if shown.by_cookie and read_cookie(request, cookies.ACCESS) and not tokens.enrols(shown.token):
            return read_token(request, cookies.ACCESS)
        return shown

    @property
    def own_grant(self) -> Grant:
        """The right of the person whose access token this is to change their own factors."""
        signed = self.signed
        return Grant(signed.user, session=signed.session, amr=signed.amr)

    @property
    def allowed_methods(self) -> list[str]:
        """What the Allow header says."""
        return [name for name in super().allowed_methods if name != "OPTIONS"]

    @property
    def source(self) -> Source:
        """Where this request comes from."""
        return read_source(self.request)

    def body(self) -> dict[str, Any]:
        """The validated body."""
        return dict(_validator(self.body_class).run_validation(self.request.data))

    def optional_body(self) -> None:
        """Refuse fields where none is taken; no body at all is as good as an empty one."""
        if self.request.data:
            self.body()


@cache
def _validator(body_class: type[Body]) -> Body:
    """One for all requests: making its fields takes longer than asking them, and they remember nothing."""
    return body_class()


def wants_text(request: Request) -> bool:
    """Whether a client asks for plain text rather than JSON, where both are answered; of equals the first counts."""
    try:
        accepted = request._request.accepted_types
    except ValueError:  # it cannot be read (RFC 2231 parameters in a charset that is none)
        return False
    known = [f"{one.main_type}/{one.sub_type}" for one in accepted]
    known = [one for one in known if one in ("text/plain", "application/json", "*/*")]
    return known[:1] == ["text/plain"]


def read_source(request: Request) -> Source:
    """The source that RequestMiddleware found."""
    source: Source = request._request.source  # type: ignore[attr-defined]
    return source
