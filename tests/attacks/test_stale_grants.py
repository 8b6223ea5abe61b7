"""What a request read of its login and session before it waited for the account's lock is not what it acts on.

Attacker: who lost a role, or whose password was found in a breach, while the first factor was confirmed; nobody, where
a person clicks twice. Move: the first token pair is made from the account as it was; a new passkey puts back how the
session was proved before. Expected: both tell what holds by then, and a mailbox that was proved once stays proved.
"""

from tests import passkeys
from tests.attacks.evidence import claims
from tests.attacks.mails import wait_for_link
from tests.authenticator import Authenticator
from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.meanwhile import outcome
from tests.passkeys import Passkey
from tests.server import Server

JUDGED = "secure_auth.grants.judge_right"
FOUND = "Grant((found := pending.find_pending({partial!r}, source=source)).user, login=found)"
TELL = (
    "from secure_auth.tokens import AccessToken; pair = done.completed.pair; "
    "raise Refused(f\"{AccessToken.read(pair.access)['roles']} {pair.password_change_required}\")"
)


def test_first_pair_tells_what_the_account_is_by_then(server: Server, client: Client) -> None:
    person = Person(new_email("auditor"))
    server.create_user(person.email, person.password, role="auditor")
    partial = expect(client.login(person), 200)["partial_token"]
    begun = expect(client.post("mfa/totp/", {}, partial), 201)
    code = Authenticator(begun["secret"]).code()
    call = (
        f"done = authenticators.confirm_totp(grant={FOUND.format(partial=partial)}, authenticator_id={begun['id']!r}, "
        f"code={code!r}, source=source); {TELL}"
    )
    changed = f"User.objects.filter(email={person.email!r}).update(role='', must_change_password='breached')"
    answer = outcome(server, call, before=JUDGED, meanwhile=changed, address=new_address())
    assert answer == "[] True"


def test_mailbox_that_a_double_of_the_request_proved_is_proved(server: Server, client: Client) -> None:
    person = client.sign_up()
    server.manage("reset_mfa", person.email)
    partial = expect(client.login(person), 200)["partial_token"]
    token = wait_for_link(client, person, "enrol")
    grant = FOUND.format(partial=partial)
    call = f"authenticators.begin_totp(grant={grant}, name='', mailed_token={token!r}, source=source)"
    assert outcome(server, call, before=JUDGED, meanwhile=call, address=new_address()) == "done"
    user = claims(person.access)["sub"]
    begun = server.rows("SELECT confirmed_at FROM mfa_totpauthenticator WHERE user_id = %s", [user])
    assert begun == [(None,), (None,)]


def test_passkey_adds_to_what_the_session_has_proved_by_then(server: Server, client: Client) -> None:
    person = client.sign_up()
    credential = Passkey(server.origin).make(passkeys.creation_options(client, person))
    session = f"Session.objects.get(pk={person.session_id!r})"
    grant = f"Grant(User.objects.get(email={person.email!r}), session={session}, amr=('otp',))"
    call = f"passkeys.confirm_passkey(grant={grant}, credential={credential!r}, name='', source=source)"
    again = f"login._freshen({session}, ('recovery',), timezone.now())"
    assert outcome(server, call, before=JUDGED, meanwhile=again, address=new_address()) == "done"
    ((amr,),) = server.rows("SELECT amr FROM secure_auth_session WHERE id = %s", [person.session_id])
    assert amr.split() == ["pwd", "recovery", "mfa", "hwk", "phr"]
