"""The story: sign up, sign in, a stolen token, a guessed password."""

import secrets
from dataclasses import dataclass, field

from django.conf import settings

from audit.events import SYSTEM
from secure_auth import administration
from secure_auth.acting import Actor
from secure_auth.demo.client import Answer, Client, unexpected
from secure_auth.demo.possessions import Authenticator, wait_for_mail
from secure_auth.demo.stage import Stage, cut

MOST_GUESSES = 20


@dataclass
class Person:
    """Somebody whose name and password no other run has."""

    email: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    authenticator: Authenticator | None = None
    recovery_codes: list[str] = field(default_factory=list, repr=False)
    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    device: str = field(default="", repr=False)

    def keep(self, pair: Answer) -> None:
        """Remember a token pair."""
        self.access, self.refresh = pair.body["access"], pair.body["refresh"]
        self.device = pair.body.get("device_token", self.device)

    def code(self) -> str:
        """The authenticator's next code."""
        return self.authenticator.code() if self.authenticator else ""


def create_account(person: Person, *, role: str = "") -> str:
    """Make an account as `manage.py create_user` does; its id."""
    return administration.create_user(
        email=person.email, password=person.password, role=role, unverified=False, actor=Actor(source=SYSTEM)
    )


def enrol(client: Client, person: Person, partial: str, stage: Stage, *, told: bool = True) -> None:
    """Bind a person's first authenticator with a partial token; completes the login."""
    begun = client.send("POST", "mfa/totp/", token=partial, expect=201, told=told)
    person.authenticator = Authenticator(begun.body["secret"], stage.notice)
    path = f"mfa/totp/{begun.body['id']}/confirm/"
    confirmed = client.send("POST", path, {"code": person.code()}, token=partial, told=told)
    person.recovery_codes = confirmed.body["recovery_codes"]
    person.keep(confirmed)


class Journey:
    """Ada's day; `run` is in all names, so that runs do not meet."""

    def __init__(self, run: str, stage: Stage) -> None:
        self.run, self.stage = run, stage
        self.ada = Person(f"ada-{run}@example.org")
        self.client = Client("ada", run, stage.exchange)

    def sign_up(self) -> None:
        """Register, confirm by mail, enrol."""
        self.stage.chapter("Signing up")
        self.stage.step(
            "Register",
            "An address and a password. The answer is the same for an address that has an account, so nobody "
            "learns who is here.",
        )
        body = {"email": self.ada.email, "password": self.ada.password}
        self.client.send("POST", "register/", body, expect=202)
        partial = self._confirm()
        self.stage.step(
            "Enrol an authenticator",
            "A password alone opens nothing here. This first login must bind an authenticator app: Ada scans the "
            "QR code and types the app's first code.",
        )
        enrol(self.client, self.ada, partial, self.stage)
        self.stage.result("Signed in. The ten recovery codes are for the day the phone is lost.")

    def _confirm(self) -> str:
        """Follow the mailed link, or make the account by command where the mail is out of reach; a partial token."""
        mail = None if settings.MAIL.is_sent else wait_for_mail(settings.DATA_DIR / "outbox", self.ada.email)
        if mail is None:
            where = settings.MAIL.where or "another place"
            self.stage.notice(f"Mail goes to {where}, so the account is made by command instead.")
            create_account(self.ada)
            return str(self._prove_password().body["partial_token"])
        subject, token = mail
        self.stage.step(
            "Confirm",
            f"The mail “{subject}” brought a link that works once ({cut(token)}). It needs the password too: nobody "
            "plants a password on another's mailbox.",
        )
        answer = self.client.send(
            "POST", "register/confirm/", {"token": token, "password": self.ada.password}
        )
        return str(answer.body["partial_token"])

    def _prove_password(self, device: str = "") -> Answer:
        body = {"email": self.ada.email, "password": self.ada.password}
        return self.client.send("POST", "login/", body, device=device)

    def sign_in(self) -> None:
        """Both steps, me/ and a refresh."""
        self.stage.chapter("Signing in")
        self.stage.step(
            "First step: the password",
            "The answer is a partial token. It opens the second step and nothing else, as the next request shows.",
        )
        partial = self._prove_password().body["partial_token"]
        self.client.send("GET", "me/", token=partial, expect=401)
        self.stage.step(
            "Second step: the code",
            "Now there is a token pair: access for minutes, refresh to get the next pair. Ada lets the service "
            "remember this device.",
        )
        body = {"method": "totp", "code": self.ada.code(), "remember_device": True}
        self.ada.keep(self.client.send("POST", "login/verify/", body, token=partial))
        self.stage.step(
            "Use it", "Any endpoint of your own product would check the access token like this one."
        )
        self.client.send("GET", "me/", token=self.ada.access)

    def lose_token(self) -> None:
        """Refresh, then somebody presents the old refresh token."""
        self.stage.chapter("A stolen token")
        old = self.ada.refresh
        self.stage.step("Refresh", "Each refresh token works once: it is swapped for a new one.")
        self.ada.keep(self.client.send("POST", "token/refresh/", {"refresh": old}))
        self.stage.step(
            "A thief presents the old one",
            "Two parties hold one token. The service cannot tell who is the thief, so the whole session ends.",
        )
        Client("thief", self.run, self.stage.exchange).send(
            "POST", "token/refresh/", {"refresh": old}, expect=401
        )
        self.client.send("GET", "me/", token=self.ada.access, expect=401)
        self.stage.result("The thief got nothing, and Ada's access token died in the same moment.")

    def be_guessed(self) -> None:
        """Wrong passwords until the account is locked from here; the owner's ways in stay open."""
        self.stage.chapter("Somebody guesses the password")
        self.stage.step(
            "Guess until the door locks",
            "Wrong passwords are counted for this account and this address. Then even the right one is refused "
            "unread, and each lock doubles the next.",
        )
        self._guess()
        self.stage.step(
            "Ada comes from the device she let remember",
            "Her device has a lane of its own, in which strangers' guesses do not count. The lock is for strangers.",
        )
        partial = self._prove_password(self.ada.device).body["partial_token"]
        self.stage.step("Her phone is at home", "One of the ten recovery codes stands in for it, once.")
        body = {"method": "recovery_code", "code": self.ada.recovery_codes[0]}
        self.ada.keep(self.client.send("POST", "login/verify/", body, token=partial))
        self.client.send("GET", "mfa/", token=self.ada.access)
        self.client.send("POST", "logout/", token=self.ada.access, expect=204)

    def _guess(self) -> None:
        """Wrong passwords until one is refused unread; the first and the last are shown."""
        guesser = Client("guesser", self.run, self.stage.exchange)
        looked_at = 0
        for _ in range(MOST_GUESSES):
            body = {"email": self.ada.email, "password": secrets.token_urlsafe(12)}
            answer = guesser.attempt("POST", "login/", body)
            if answer.code != "invalid_credentials":
                break
            if not looked_at:
                self.stage.exchange("POST", "login/", body, answer)
            looked_at += 1
        if answer.code != "temporarily_locked":
            raise unexpected("POST", "login/", answer)
        self.stage.exchange("POST", "login/", body, answer)
        self.stage.result(f"The service looked at {looked_at} guesses and at none after that.")
