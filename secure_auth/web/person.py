"""Who looks at a page: by the cookie `__Host-web`, a handle on a session that the API never takes."""

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from audit.events import Source
from secure_auth import handles
from secure_auth.access import Signed
from secure_auth.browsers import SAFE_METHODS, read_cookie, set_cookie
from secure_auth.errors import Problem, invalid_token
from secure_auth.grants import Grant
from secure_auth.models import Session, User

HANDLE: Final = "__Host-web"


@dataclass(frozen=True)
class Person:
    """Somebody signed in, with the session of this browser."""

    signed: Signed

    @property
    def user(self) -> User:
        """The account."""
        return self.signed.user

    @property
    def session(self) -> Session:
        """The session, as it was before this request: `last_seen_at` tells how long it was idle."""
        return self.signed.session

    @property
    def grant(self) -> Grant:
        """What lets this person change factors, as far as the proof is fresh and strong enough."""
        return Grant(self.user, session=self.session, amr=self.signed.amr)

    @property
    def roles(self) -> list[str]:
        """None, auditor, or admin and auditor."""
        return self.signed.user.roles


class PageRequest(HttpRequest):
    """A request for a page. `has_ended`: somebody was signed in here, whose session ended; `browser` see guard.py.

    `renewed`: the handle that replaced the one it came with, by renew().
    """

    source: Source
    request_id: str
    person: Person | None
    has_ended: bool
    browser: str
    renewed: str


class SignedRequest(PageRequest):
    """A request of somebody who is signed in."""

    person: Person


class SignInNeeded(Exception):
    """The page is for people who are signed in."""


def note_person(request: PageRequest) -> None:
    """Find out who is signed in here: `request.person`. `request.has_ended`: somebody was, whose session ended.

    Raises:
        SignInNeeded: the form that was sent belongs to a session that ended.
    """
    handle = read_cookie(request, HANDLE)
    try:
        signed = handles.authenticate_handle(handle, source=request.source) if handle else None
    except Problem as problem:
        request.has_ended = True
        if request.method not in SAFE_METHODS:
            raise SignInNeeded from problem
        return
    request.person = Person(signed) if signed else None


def forget_ended(request: PageRequest, response: HttpResponseBase) -> None:
    """Let this browser forget a session that ended, unless this answer opened a new one.

    A handle that was replaced is left alone: the new one may be on its way.
    """
    if request.has_ended and HANDLE not in response.cookies:
        forget_handle(response)


def keep_signed_in(response: HttpResponseBase, session_id: str) -> None:
    """Give this browser the handle of a session that was just opened, or proved again.

    SameSite=Lax, so that who follows a link from a mail is still signed in; every form has a token of its own.
    """
    handle = handles.hand_out(session_id)
    set_cookie(response, HANDLE, handle, settings.SESSION_LIFETIME_SECONDS, samesite="Lax")


def renew(request: SignedRequest) -> None:
    """A factor was proved in the middle of this request: it goes on as a fresh one.

    Whatever the answer is, keep_renewed() gives the browser its new handle with it.

    Raises:
        Problem: invalid_token, the session ended meanwhile.
    """
    request.renewed = handles.hand_out(request.person.session.id)
    signed = handles.authenticate_handle(request.renewed, source=request.source)
    if signed is None:  # another proof replaced it in this moment
        raise invalid_token()
    request.person = Person(signed)


def keep_renewed(request: PageRequest, response: HttpResponseBase) -> None:
    """Give the browser what renew() made."""
    handle = getattr(request, "renewed", "")
    if handle and HANDLE not in response.cookies:
        set_cookie(response, HANDLE, handle, settings.SESSION_LIFETIME_SECONDS, samesite="Lax")


def forget_handle(response: HttpResponseBase) -> None:
    """Let this browser forget the session."""
    response.delete_cookie(HANDLE, samesite="Lax")
