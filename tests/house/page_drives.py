"""Every form of the pages, driven to a success and to a failure."""

from tests.authenticator import Mailbox
from tests.client import Person, new_email
from tests.conftest import new_address
from tests.house.told import Listener
from tests.passkeys import Passkey
from tests.server import Server
from tests.visitor import Form, Page, Visitor

NOBODY = "00000000-0000-7000-8000-000000000000"
NO_CHALLENGE = "A" * 43
WRONG_CODE = "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA"


class WatchedVisitor(Visitor):
    """A visitor that a listener hears."""

    def __init__(self, server: Server, listener: Listener) -> None:
        super().__init__(server, new_address())
        self.listener = listener

    def ask(self, method: str, path: str, **options: object) -> Page:
        before = self.listener.counts()
        page = super().ask(method, path, **options)
        self.listener.hear(method, path, page.headers["X-Request-ID"], before)
        return page


class PageDrives:
    """One person's life on the pages."""

    def __init__(self, server: Server, listener: Listener) -> None:
        self.visitor = WatchedVisitor(server, listener)
        self.mailbox = Mailbox(server.data_dir / "outbox", "")

    def run(self) -> None:
        person = Person(new_email())
        self.mailbox.address = person.email
        self.joining(person)
        self.signing_in(person)
        self.factors(person)
        self.sessions_and_devices(person)
        self.passwords(person)
        self.passkeys(person)
        self.account(person)
        self.mailed(person)
        self.visitor.close()

    def forged(self, path: str) -> None:
        """A form that no page of this browser made."""
        page = self.visitor.ask("POST", path, data={"form_token": "forged"})
        assert page.status == 403, (path, page.status, page.text)

    def joining(self, person: Person) -> None:
        visitor = self.visitor
        visitor.open("/sign-up/")
        visitor.fill(email=person.email, password="password")
        visitor.open("/confirm/")
        visitor.fill(token="garbage", password=person.password)
        self.forged("/enrol/")
        visitor.open("/sign-up/")
        visitor.fill(email=person.email, password=person.password)
        visitor.open("/confirm/")
        visitor.fill(token=self.mailbox.wait_for_token(), password=person.password)
        visitor.enrol(person)

    def signing_in(self, person: Person) -> None:
        visitor = self.visitor
        self.forged("/sign-out/")
        visitor.open("/")
        visitor.press("/sign-out/")
        visitor.open("/sign-in/")
        visitor.fill(email=person.email, password="a wrong passphrase")
        visitor.prove_password(person)
        visitor.ask("POST", "/sign-in/passkey/", data=visitor.page.form("code").values)
        visitor.open("/sign-in/code/?with=recovery_code")
        visitor.fill(code=WRONG_CODE)
        visitor.fill(code=person.recovery_codes.pop(), remember_device="true")
        visitor.open("/reauthenticate/?with=recovery_code")
        visitor.fill(code=WRONG_CODE)
        visitor.fill(code=person.recovery_codes.pop())

    def factors(self, person: Person) -> None:
        visitor = self.visitor
        visitor.open("/enrol/")
        visitor.fill(name="A second phone")
        visitor.fill(code="000000")
        second = Person(person.email)
        visitor.open("/enrol/")
        visitor.enrol(second)
        person.authenticator = second.authenticator
        self.forged("/recovery-codes/new/")
        visitor.open("/recovery-codes/new/")
        visitor.press("")
        visitor.press("")
        token = visitor.open("/").form("form_token").values
        visitor.send(Form(f"/authenticators/{NOBODY}/remove/", token))
        found = visitor.open("/").response.text.partition("/authenticators/")[2][:36]
        visitor.open(f"/authenticators/{found}/remove/")
        visitor.press("")
        person.authenticator = second.authenticator

    def sessions_and_devices(self, person: Person) -> None:
        visitor, other = self.visitor, Visitor(self.visitor.server, new_address())
        other.prove_password(person)
        other.open("/sign-in/code/?with=recovery_code")
        other.close()
        token = visitor.open("/").form("form_token").values
        visitor.send(Form(f"/sessions/{NOBODY}/end/", token))
        own = visitor.cookies["__Host-web"].partition(".")[0]
        device = visitor.open("/").response.text.partition("/devices/")[2][:36]
        visitor.send(Form(f"/devices/{NOBODY}/forget/", token))
        visitor.open("/")
        visitor.press(f"/devices/{device}/forget/")
        self.forged("/sessions/end-others/")
        visitor.send(Form("/sessions/end-others/", token))
        visitor.send(Form(f"/sessions/{own}/end/", token))

    def passwords(self, person: Person) -> None:
        visitor = self.visitor
        self.forged("/forgot/")
        links = len(self.mailbox.tokens())
        visitor.open("/forgot/")
        visitor.fill(email=person.email)
        visitor.open("/reset/")
        visitor.fill(token="garbage", new_password=person.password)
        visitor.fill(token=self.mailbox.wait_for_token(after=links), new_password=person.password)
        visitor.sign_in(person)
        visitor.open("/password/")
        visitor.fill(current_password="a wrong passphrase", new_password="another horse and battery 7")
        visitor.fill(current_password=person.password, new_password="another horse and battery 7")
        person.password = "another horse and battery 7"

    def passkeys(self, person: Person) -> None:
        visitor = self.visitor
        token = visitor.open("/reauthenticate/").form("code").values
        visitor.ask("POST", "/reauthenticate/passkey/", data=token)
        self.forged("/passkeys/options/")
        visitor.open("/passkeys/new/")
        passkey = Passkey(visitor.server.origin)
        options = visitor.options("/passkeys/options/")
        visitor.show(passkey.make({**options, "challenge": NO_CHALLENGE}))
        visitor.show(passkey.make(options), name="A key")
        visitor.open("/reauthenticate/highest/")
        visitor.show(passkey.show({"challenge": NO_CHALLENGE}))
        visitor.show(passkey.show(visitor.options("/reauthenticate/passkey/")))
        token = visitor.open("/").form("form_token").values
        visitor.send(Form(f"/authenticators/{NOBODY}/rename/", token))
        found = visitor.open("/").response.text.partition("/authenticators/")[2][:36]
        visitor.open(f"/authenticators/{found}/rename/")
        visitor.fill(name="Another name")
        visitor.open("/")
        visitor.press("/sign-out/")
        visitor.prove_password(person)
        visitor.show(passkey.show(visitor.options("/sign-in/passkey/")))

    def account(self, person: Person) -> None:
        visitor, known, wrong = self.visitor, {"current_password": person.password}, "a wrong passphrase"
        visitor.open("/address/change/")
        visitor.fill(new_email=new_email(), current_password=wrong)
        other = new_email()
        visitor.fill(new_email=other, **known)
        self.follow("/address/", Mailbox(self.mailbox.outbox, other).wait_for_token())
        self.forged("/account/data/")
        visitor.open("/account/data/")
        visitor.press("")
        links = len(self.mailbox.tokens())
        visitor.server.manage("reset_mfa", person.email)
        self.follow("/cancel-reset/", self.mailbox.wait_for_token(after=links))
        visitor.open("/account/delete/")
        visitor.fill(email=person.email, current_password=wrong)
        visitor.fill(email=person.email, **known)

    def mailed(self, person: Person) -> None:
        guest = new_email("guest")
        self.visitor.server.manage("invite", guest)
        token = Mailbox(self.mailbox.outbox, guest).wait_for_token()
        self.follow("/invited/", token, password=person.password)

    def follow(self, path: str, token: str, **typed: str) -> None:
        """A mailed link, after one that is none."""
        self.visitor.open(path)
        self.visitor.fill(token="garbage", **typed)
        self.visitor.fill(token=token, **typed)
