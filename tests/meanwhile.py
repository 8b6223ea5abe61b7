"""A use case of a service, in a process of its own, in the midst of which something else happens.

What a use case judges again under a lock can only be seen there: a race that ends in time is judged the first time.
"""

from tests.server import Server

SCRIPT = """
from django.utils import timezone
from audit.events import Source
from secure_auth import access, accounts, address_change, administration, authenticators, detections, erasure
from secure_auth import introspection, inventory, invitations, login, outbox, passkeys, password_checks, pending
from secure_auth import personal, recovery, recovery_sheet, registration, sessions
from secure_auth.acting import Actor, Refused
from secure_auth.errors import Problem
from secure_auth.grants import Grant
from secure_auth.models import PendingLogin, Role, Session, User
from secure_auth.second_factor import SecondFactor
import {module} as where
source, go_on = Source(ip={address!r}), where.{function}
command = Actor(Source())

def come_between(*given, **named):
    where.{function} = go_on
    {meanwhile}
    return go_on(*given, **named)

where.{function} = come_between
try:
    {call}
    answer = "done"
except Problem as problem:
    answer = problem.code.slug
except Refused as refused:
    answer = str(refused)
print(answer if where.{function} is go_on else "nothing came between")
"""


def outcome(server: Server, call: str, *, before: str, meanwhile: str, address: str) -> str:
    """The code with which a use case refuses, or `done`, where one statement runs just before a function of its."""
    module, _, function = before.rpartition(".")
    script = SCRIPT.format(module=module, function=function, call=call, meanwhile=meanwhile, address=address)
    return server.manage("shell", "--no-imports", "-c", script).stdout.strip()
