"""Every form of the console, driven to a success and to a failure."""

from tests.client import Client, Person, expect
from tests.conftest import new_address
from tests.detecting import wait_for_any_detection
from tests.house.page_drives import NOBODY, WatchedVisitor
from tests.house.told import Listener
from tests.redis_processes import wait_until
from tests.server import Server


class ConsoleDrives:
    """An admin at work."""

    def __init__(self, server: Server, listener: Listener) -> None:
        self.server = server
        self.visitor = WatchedVisitor(server, listener)
        self.client = Client(server, new_address())

    def run(self) -> None:
        admin, target = self.client.create_person(role="admin"), self.client.create_person()
        self.visitor.prove_password(admin)
        self.visitor.open("/sign-in/code/?with=recovery_code")
        self.visitor.fill(code=admin.recovery_codes.pop())
        self.token = self.visitor.open("/console/").form("form_token").values["form_token"]
        self.tails()
        self.detections(admin)
        self.people(target)
        self.verifications()
        self.visitor.close()
        self.client.close()

    def post(self, path: str, **fields: str) -> int:
        data = {"form_token": self.token, **fields}
        return self.visitor.ask("POST", f"/console/{path}", data=data).status

    def tails(self) -> None:
        assert self.post("events/tail/?ip=nowhere") == 400
        assert self.post("events/tail/") == 200
        tail = self.visitor.page.response.json()["id"]
        assert self.post(f"events/tail/{tail}/stop/") == 204
        assert self.post(f"events/tail/{tail}/stop/", form_token="forged") == 403

    def detections(self, admin: Person) -> None:
        found = wait_for_any_detection(self.client, admin, "refresh_reuse")
        assert self.post(f"detections/{NOBODY}/acknowledge/", note="a drive") == 404
        assert self.post(f"detections/{found['id']}/acknowledge/", note="a drive") == 303

    def people(self, target: Person) -> None:
        user = expect(self.client.me(target.access), 200)["id"]
        assert self.post(f"people/{user}/enable/", reason="a drive") == 400
        assert self.post(f"people/{user}/unlock/", reason="a drive") == 303

    def verifications(self) -> None:
        assert self.post("integrity/verify/") == 303
        assert self.post("integrity/verify/") == 303
        over = "SELECT 1 FROM audit_event WHERE type = 'audit.verdict'"
        wait_until(lambda: self.server.rows(over), 90)
