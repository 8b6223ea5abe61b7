"""Which sessions end with a compromised signing key: those whose last token it may have signed, by any node's ring."""

from datetime import timedelta

import pytest
from django.conf import settings

from audit.events import SYSTEM
from audit.models import Event
from secure_auth import rings
from secure_auth.models import Key, Session
from tests.models.conftest import BEGIN, Clock, Family

ACTIVATED, RETIRED = BEGIN, BEGIN + timedelta(hours=1)
MOMENT = timedelta(milliseconds=1)
pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize(
    ("border", "beyond", "is_ended"),
    [
        (ACTIVATED, -MOMENT, False),
        (ACTIVATED, timedelta(0), True),
        (RETIRED, timedelta(0), True),
        (RETIRED, MOMENT, False),
    ],
    ids=["before it", "first", "last", "after it"],
)
def test_a_key_reaches_as_far_as_a_node_may_have_known_an_older_ring(
    clock: Clock, border: object, beyond: timedelta, is_ended: bool
) -> None:
    clock.begin()
    slack = timedelta(seconds=settings.KEY_CACHE_SECONDS)
    family = Family(clock.now)
    outward = -slack if border == ACTIVATED else slack
    rotated_at = (ACTIVATED if border == ACTIVATED else RETIRED) + outward + beyond
    live_until = RETIRED + timedelta(days=1)
    Session.objects.filter(pk=family.row_id).update(
        rotated_at=rotated_at, last_seen_at=rotated_at, idle_expires_at=live_until, expires_at=live_until
    )
    clock.now = RETIRED + 2 * slack + timedelta(minutes=1)
    key = Key(kid="suspect", purpose=Key.Purpose.SIGNING, activated_at=ACTIVATED, retired_at=RETIRED)
    found = list(rings._sessions_of(key, clock.now).filter(pk=family.row_id).values_list("pk", "user_id"))
    assert bool(found) is is_ended
    rings._end(found, now=clock.now, source=SYSTEM)
    row = Session.objects.get(pk=family.row_id)
    told = Event.objects.filter(type="session.revoke", session=family.row_id, reason="key_compromised")
    assert row.revoked_at == (clock.now if is_ended else None)
    assert (row.revoke_reason == "key_compromised", told.count()) == (is_ended, int(is_ended))


@pytest.mark.parametrize(
    ("has_handle", "is_reached"), [(False, True), (True, False)], ids=["tokens", "pages"]
)
def test_a_key_that_only_answered_again_reaches_the_session(
    clock: Clock, has_handle: bool, is_reached: bool
) -> None:
    clock.begin()
    family = Family(clock.now)
    assert family.refresh(family.first, key="k" * 22).pair
    clock.advance(1200)
    again = family.refresh(family.first, key="k" * 22)
    assert again.pair
    if has_handle:
        Session.objects.filter(pk=family.row_id).update(web_digest="w")
    key = Key(purpose=Key.Purpose.SIGNING, activated_at=BEGIN + timedelta(minutes=10))
    assert rings._sessions_of(key, clock.now).filter(pk=family.row_id).exists() is is_reached
