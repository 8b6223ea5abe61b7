"""Every route, driven over HTTP to a success and to a failure; and what else writes events: commands, accidents."""

import json
import secrets
import shutil
from typing import Any

from tests import passkeys
from tests.attacks.mails import wait_for_link
from tests.client import PASSWORD, Person, expect, new_email
from tests.conftest import new_address
from tests.detecting import wait_for_any_detection
from tests.house.console_drives import ConsoleDrives
from tests.house.page_drives import PageDrives
from tests.house.told import Listener, Watched
from tests.redis_processes import RedisProcess, wait_until
from tests.server import Server

NOBODY = "00000000-0000-7000-8000-000000000000"
GARBAGE = "not.a.token"


class Drives:
    """People of each role, and what they do."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._clients: list[Watched] = []
        self.listener = Listener(server)
        self.auditor = self.client().create_person(role="auditor")
        self.admin = self.client().create_person(role="admin")

    def client(self) -> Watched:
        """Each drive comes from an address of its own."""
        return self.client_at(new_address())

    def client_at(self, address: str) -> Watched:
        self._clients.append(Watched(self.listener, address))
        return self._clients[-1]

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def run(self) -> None:
        """All drives over HTTP."""
        person = self.becoming_somebody()
        self.signing_in(person)
        self.tokens(person)
        self.factors(person)
        self.sessions_and_devices(person)
        self.passwords(person)
        self.reading()
        self.detections()
        self.administration(person)
        self.leaving()
        self.inviting()
        self.changing_the_address()
        PageDrives(self.server, self.listener).run()
        ConsoleDrives(self.server, self.listener).run()

    def becoming_somebody(self) -> Person:
        client, person = self.client(), Person(new_email())
        client.post("register/", {"email": person.email, "password": "password"})
        client.confirm(GARBAGE, PASSWORD)
        client.sign_up(person)
        client.post(f"mfa/totp/{NOBODY}/confirm/", {"code": "000000"}, person.access)
        return person

    def signing_in(self, person: Person) -> None:
        client = self.client()
        client.login(person, "a wrong passphrase")
        partial = expect(client.login(person), 200)["partial_token"]
        client.verify(partial, "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", "recovery_code")
        client.post("mfa/totp/", {}, partial)
        client.sign_in(person, remember_device=True)
        wrong = {"method": "recovery_code", "code": "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA"}
        client.post("reauthenticate/", wrong, person.access)
        right = {"method": "recovery_code", "code": person.recovery_codes.pop()}
        expect(client.post("reauthenticate/", right, person.access), 200)
        for _ in range(7):
            self.client_at(client.address).login(Person(new_email("stranger")), "a wrong passphrase")
        target = Person(new_email("locked"))
        for _ in range(6):
            client.login(target, "a wrong passphrase")

    def tokens(self, person: Person) -> None:
        client = self.client()
        client.sign_in(person)
        old = person.refresh
        person.keep(expect(client.refresh(old), 200))
        client.refresh(GARBAGE)
        made = json.loads(self.server.manage("create_client", f"shop {secrets.token_hex(4)}").stdout)
        basic: Any = {"auth": (made["client_id"], made["client_secret"])}
        expect(client.post("token/introspect/", {"token": person.access}, **basic), 200)
        client.post("token/introspect/", {"token": person.access}, auth=(made["client_id"], "wrong"))
        self.server.manage("revoke_client", made["client_id"])
        client.post("token/verify/", {"token": person.access})
        client.post("token/revoke/", {"token": GARBAGE})
        expect(client.post("token/revoke/", {"token": person.refresh}), 200)
        client.post("token/verify/", {"token": person.access})
        client.sign_in(person)
        old = person.refresh
        person.keep(expect(client.refresh(old), 200))
        client.refresh(old)  # reuse

    def factors(self, person: Person) -> None:
        client = self.client()
        client.post("mfa/recovery-codes/", token=client.ended(person))
        client.sign_in(person)
        begun = expect(client.post("mfa/totp/", {"name": "second"}, person.access), 201)
        second = Person(person.email)
        second.authenticator = type(person.authenticator)(begun["secret"])  # type: ignore[misc]
        wrong = second.authenticator.wrong_code()
        client.post(f"mfa/totp/{begun['id']}/confirm/", {"code": wrong}, person.access)
        expect(client.post(f"mfa/totp/{begun['id']}/confirm/", {"code": second.code()}, person.access), 200)
        expect(client.get("mfa/", person.access), 200)
        client.delete(f"mfa/{NOBODY}/", person.access)
        expect(client.delete(f"mfa/{begun['id']}/", person.access), 204)
        codes = expect(client.post("mfa/recovery-codes/", token=person.access), 200)["recovery_codes"]
        person.recovery_codes = codes
        self.passkeys(person)

    def passkeys(self, person: Person) -> None:
        client = self.client()
        partial = expect(client.login(person), 200)["partial_token"]
        for path, token in (("login", partial), ("reauthenticate", client.sign_in(person).access)):
            assert client.post(f"{path}/webauthn/options/", token=token).status_code == 404
        ended = client.ended(person)
        client.post("mfa/webauthn/options/", token=ended)
        client.sign_in(person)
        lost = passkeys.Passkey(client.server.origin).make(passkeys.creation_options(client, person))
        assert passkeys.bind(client, person, lost, "Key").status_code == 201
        assert passkeys.bind(client, person, lost, "Key").status_code == 400
        client.sign_in(person)
        passkey = passkeys.add_passkey(client, person)
        passkeys.sign_in(client, person, passkey)
        passkeys.step_up(client, person, passkey)
        key = expect(client.get("mfa/", person.access), 200)["authenticators"][1]["id"]
        for path in (f"mfa/{key}/", f"mfa/{NOBODY}/"):
            client.request("PATCH", path, person.access, json={"name": "Old key"})
        expect(client.delete(f"mfa/{key}/", person.access), 204)

    def sessions_and_devices(self, person: Person) -> None:
        client = self.client()
        other = client.sign_in(person, remember_device=True).session_id
        client.sign_in(person)
        expect(client.get("sessions/", person.access), 200)
        expect(client.delete(f"sessions/{other}/", person.access), 204)
        client.delete(f"sessions/{NOBODY}/", person.access)
        devices = expect(client.get("devices/", person.access), 200)["results"]
        expect(client.delete(f"devices/{devices[0]['id']}/", person.access), 204)
        client.delete(f"devices/{NOBODY}/", person.access)
        expect(client.delete("sessions/", person.access), 204)
        expect(client.me(person.access), 200)
        expect(client.get("me/activity/", person.access), 200)
        ended = client.ended(person)
        client.post("logout/", token=ended)
        client.delete("sessions/", ended)
        client.me(ended)

    def passwords(self, person: Person) -> None:
        client = self.client()
        client.sign_in(person)
        body = {"current_password": "a wrong passphrase", "new_password": "another horse and battery 7"}
        client.post("password/change/", body, person.access)
        expect(client.post("password/strength/", {"password": PASSWORD}), 200)
        expect(
            client.post("password/change/", body | {"current_password": person.password}, person.access), 204
        )
        person.password = body["new_password"]
        links = len(client.mailbox(person).tokens())
        for _ in range(6):  # more than a source may
            self.client_at("198.51.100.9").post("password/reset/", {"email": new_email("nobody")})
        client.post("password/reset/", {"email": person.email})
        token = client.mailbox(person).wait_for_token(after=links)
        client.post("password/reset/confirm/", {"token": GARBAGE, "new_password": PASSWORD})
        expect(client.post("password/reset/confirm/", {"token": token, "new_password": PASSWORD}), 204)
        person.password = PASSWORD

    def reading(self) -> None:
        client, plain = self.client(), self.client().create_person()
        page = expect(client.get("audit/events/?limit=1&order=index", self.auditor.access), 200)
        event = page["results"][0]["id"]
        for path in (
            "audit/events/",
            f"audit/events/{event}/",
            f"audit/events/{event}/proof/",
            "audit/summary/",
            "audit/export/?limit=1",
            *(
                f"audit/log/{log}{name}"
                for log in ("", "1/")
                for name in ("checkpoint", "vkey", "vkeys", "tile/0/000.p/1", "tile/entries/000.p/1")
            ),
        ):
            assert client.get(path, self.auditor.access).status_code in (200, 400), path
            assert client.get(path, plain.access).status_code == 403, path

    def detections(self) -> None:
        client, plain = self.client(), self.client().create_person()
        reused = wait_for_any_detection(client, self.auditor, "refresh_reuse")  # tokens() left it
        path = f"audit/detections/{reused['id']}/"
        for each in ("audit/detections/", path):
            expect(client.get(each, self.auditor.access), 200)
            assert client.get(each, plain.access).status_code == 403, each
        expect(client.post(f"{path}acknowledge/", {"note": "a drive"}, self.auditor.access), 200)
        assert client.post(f"{path}acknowledge/", {"note": "a drive"}, plain.access).status_code == 403

    def administration(self, person: Person) -> None:
        client = self.client()
        client.sign_in(person)
        user = expect(client.me(person.access), 200)["id"]
        own = expect(client.me(self.admin.access), 200)["id"]
        expect(client.get("admin/users/", self.admin.access), 200)
        client.get("admin/users/", self.auditor.access)
        for action in (
            "unlock",
            "revoke-sessions",
            "disable",
            "enable",
            "reset-mfa",
            "require-password-change",
        ):
            path = f"admin/users/{user}/{action}/"
            answer = client.post(path, {"reason": "a drive"}, self.admin.access)
            assert answer.status_code < 300, (action, answer.text)
        client.post(f"admin/users/{own}/disable/", {"reason": "a drive"}, self.admin.access)
        self.resetting(client, person, user)
        self.enrolling_again(client, person)

    def leaving(self) -> None:
        """A copy of everything, twice within a minute; then the account is deleted, with a wrong password first."""
        client, person = self.client(), self.client().create_person()
        expect(client.get("me/export/", person.access), 200)
        client.get("me/export/", person.access)
        for password in ("a wrong passphrase", person.password):
            client.delete("me/", person.access, json={"current_password": password})

    def inviting(self) -> None:
        client, admin = self.client(), self.admin.access
        person, other = Person(new_email("invited")), {"email": new_email("invited"), "reason": "a drive"}
        expect(client.post("admin/invitations/", other | {"email": person.email}, admin), 201)
        revoked = expect(client.post("admin/invitations/", other, admin), 201)["id"]
        client.post("admin/invitations/", other, self.auditor.access)
        expect(client.get("admin/invitations/", admin), 200)
        client.get("admin/invitations/", self.auditor.access)
        for _ in range(2):
            client.delete(f"admin/invitations/{revoked}/", admin)
        token = client.mailbox(person).wait_for_token()
        client.post("register/", {"invitation": GARBAGE, "password": PASSWORD})
        expect(client.post("register/", {"invitation": token, "password": PASSWORD}), 200)

    def resetting(self, client: Watched, person: Person, user: str) -> None:
        """A reset that waits is cancelled by its link, then by an admin; the next takes effect when it has waited."""
        client.post("mfa/reset/cancel/", {"token": GARBAGE})
        expect(
            client.post("mfa/reset/cancel/", {"token": wait_for_link(client, person, "cancel-reset")}), 204
        )
        for action in ("reset-mfa", "cancel-reset-mfa", "reset-mfa"):
            answer = client.post(f"admin/users/{user}/{action}/", {"reason": "a drive"}, self.admin.access)
            expect(answer, 204)
        past = "2026-01-01 00:00:00"
        self.server.rows("UPDATE secure_auth_factorreset SET remind_at = %s", [past])
        reminded = (
            "SELECT 1 FROM secure_auth_factorreset WHERE settled_at IS NULL AND reminded_at IS NOT NULL"
        )
        wait_until(lambda: self.server.rows(reminded), 30)
        self.server.rows("UPDATE secure_auth_factorreset SET effective_at = %s", [past])
        self._wait_for("mfa.reset")

    def changing_the_address(self) -> None:
        client = self.client()
        person, other = client.sign_up(), Person(new_email("moved"))
        body = {"current_password": "a wrong passphrase", "new_email": other.email}
        client.post("email/change/", body, person.access)
        client.post("email/change/", body | {"current_password": PASSWORD}, client.ended(person))
        client.sign_in(person)
        expect(client.post("email/change/", body | {"current_password": PASSWORD}, person.access), 202)
        client.post("email/change/confirm/", {"token": GARBAGE})
        for each in (person, other):
            token = wait_for_link(client, each, "address")
            expect(client.post("email/change/confirm/", {"token": token}), 200)

    def enrolling_again(self, client: Watched, person: Person) -> None:
        """With the token that is mailed for it, and before without."""
        links = len(client.mailbox(person).tokens())
        partial = expect(client.login(person), 200)["partial_token"]
        token = client.mailbox(person).wait_for_token(after=links)
        client.post("mfa/totp/", {}, partial)
        client.enrol(person, partial, token=token)

    def accidents(self, redis: RedisProcess | None) -> None:
        """What only a command, a fault or time brings about."""
        for each in (self._keys, self._collapse, self._mail_fails, self._webhook_fails, self._inconsistency):
            each()
        if redis:
            redis.stop()
            self.client().me(self.auditor.access)
            self._wait_for("limit.store")
        self._moving()
        person = self.client().create_person()
        self.server.manage("set_role", person.email, "auditor")
        self.server.manage("erase_user", person.email, "--reason", "a drive")

    def _wait_for(self, type_: str) -> None:
        wait_until(lambda: self.server.rows("SELECT 1 FROM audit_event WHERE type = %s", [type_]), 40)

    def _moving(self) -> None:
        away = self.server.data_dir.parent / "users.jsonl"
        self.server.manage("export_users", "--out", str(away))
        self.server.manage("import_users", str(away))

    def _keys(self) -> None:
        self.server.rows("UPDATE secure_auth_key SET created_at = '2026-01-01 00:00:00'")  # of age
        self.server.manage("rotate_keys", "--purpose", "encryption")
        ((kid,),) = self.server.rows(
            "SELECT kid FROM secure_auth_key WHERE purpose='signing' AND state='next'"
        )
        self.server.manage("rotate_keys", "--compromised", kid)

    def _collapse(self) -> None:
        self.server.rows("UPDATE audit_tally SET ends_at = '2026-01-01 00:00:00'")
        self._wait_for("log.collapsed")

    def _mail_fails(self) -> None:
        outbox, away = self.server.data_dir / "outbox", self.server.data_dir / "outbox.away"
        outbox.rename(away)
        outbox.write_text("a full disk would do the same")
        try:
            person = Person(new_email())
            self.client().register(person)
            own = 'SELECT id FROM secure_auth_outboxmessage WHERE "to" = %s AND'
            tried = f"{own} attempts > 0 AND sent_at IS NULL"
            wait_until(lambda: self.server.rows(tried, [person.email]), 30)
            last = "UPDATE secure_auth_outboxmessage SET attempts = 8, next_attempt_at = created_at"
            self.server.rows(f"{last} WHERE sent_at IS NULL")
            failed = f"{own} failed_at IS NOT NULL"
            wait_until(lambda: self.server.rows(failed, [person.email]), 30)
        finally:
            outbox.unlink()
            shutil.move(away, outbox)
        ((dead,),) = self.server.rows(failed, [person.email])
        self.server.manage("outbox", "--retry", dead)
        wait_until(lambda: dead not in self.server.manage("outbox").stdout, 30)
        self.server.rows("UPDATE secure_auth_outboxmessage SET sent_at = NULL, failed_at = created_at")
        self.server.manage("outbox", "--drop", "all")

    def _webhook_fails(self) -> None:
        tried = "SELECT 1 FROM audit_webhookmessage WHERE attempts > 0 AND sent_at IS NULL"
        wait_until(lambda: self.server.rows(tried), 30)
        self.server.rows("UPDATE audit_webhookmessage SET attempts = 8, next_attempt_at = queued_at")
        self._wait_for("webhook.fail")
        dead = "SELECT id FROM audit_webhookmessage WHERE failed_at IS NOT NULL AND sent_at IS NULL"
        self.server.manage("webhooks", "retry", self.server.rows(dead)[0][0])

    def _inconsistency(self) -> None:
        kept = self.server.data_dir / "checkpoint"
        checkpoint = kept.read_text()
        kept.write_text("nonsense\n")
        try:
            self.client().login(Person(new_email()), "a wrong passphrase")
            self._wait_for("log.inconsistent")
        finally:
            kept.write_text(checkpoint)
