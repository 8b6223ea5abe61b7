"""A retired digest key stays as long as one thing bears it, whichever that is, and no longer."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from audit.events import Source
from audit.models import Event
from mfa.models import Passkey, RecoveryCode
from secure_auth import (
    addresses,
    clients,
    devices,
    digest_bearers,
    factors,
    familiar,
    keys,
    links,
    relying_party,
    rings,
    rows,
)
from secure_auth.acting import Actor
from secure_auth.keys import OpenKey, Ring
from secure_auth.models import Client, FamiliarSource, Key, KnownDevice, MailToken, User, UserImport
from tests.models.conftest import Clock, Family
from tests.rings import digest_key

DAY, SLACK = timedelta(days=1), timedelta(seconds=120)
HERE = Source(ip="192.0.2.1", user_agent="curl/8.5.0")
pytestmark = pytest.mark.usefixtures("database")


def use(*ring: OpenKey) -> None:
    """Let the service find these digest keys, oldest first, in its memory and in its table."""
    live = {key.kid: key for key in ring}
    active = next(key for key in ring if key.state == "active")
    keys._rings[Key.Purpose.DIGEST] = (time.monotonic() + 10**6, Ring(active, live))
    for key in ring:
        times = {"activated_at": timezone.now(), "retired_at": timezone.now()}
        Key.objects.update_or_create(
            kid=key.kid,
            defaults={"purpose": "digest", "state": key.state, "algorithm": "HS256", "sealed": b""},
            create_defaults={
                "purpose": "digest",
                "state": key.state,
                "algorithm": "HS256",
                "sealed": b"",
                **{name: moment for name, moment in times.items() if key.state != "next"},
            },
        )


@pytest.fixture
def old(clock: Clock) -> Iterator[OpenKey]:
    """The active digest key, which the test lets retire."""
    before = dict(keys._rings)
    clock.begin()
    key = digest_key()
    use(key)
    yield key
    keys._rings.clear()
    keys._rings.update(before)
    bearing: list[type[models.Model]] = [
        *(User, Key, Client, KnownDevice, FamiliarSource, MailToken, UserImport, RecoveryCode, Passkey)
    ]
    for model in bearing:
        every = model._default_manager.all()
        (every.filter(purpose="digest") if model is Key else every).delete()


def retire(key: OpenKey, clock: Clock) -> Key:
    clock.now += timedelta(seconds=1)
    use(replace(key, state="retired"), digest_key())
    row = Key.objects.get(pk=key.kid)
    row.retired_at = timezone.now()
    row.save()
    return row


def a_user() -> User:
    return User.objects.create(email_key="someone", mailbox_proved_at=timezone.now())


def a_session() -> Callable[[], object]:
    row = Family(timezone.now()).row
    later = timezone.now() + timedelta(days=400)
    row.idle_expires_at = row.expires_at = later
    row.save()
    return lambda: type(row).objects.filter(pk=row.pk).update(revoked_at=timezone.now())


def a_device() -> Callable[[], object]:
    user = a_user()
    devices.remember_device(user, known_id="", user_agent="", now=timezone.now())
    return transaction.atomic(lambda: devices.forget_devices(user.pk, now=timezone.now()))


def a_device_seen_once_since() -> Callable[[], object]:
    """The answer that carried its new token may be lost, so that it shows the token before once more."""
    user = a_user()
    known = devices.remember_device(user, known_id="", user_agent="", now=timezone.now()).id

    def remember() -> None:
        devices.remember_device(user, known_id=known, user_agent="", now=timezone.now())

    return remember


def a_familiar_source() -> Callable[[], object]:
    user = a_user()
    FamiliarSource.objects.create(
        digest=familiar.digest_source(user.pk, HERE), user=user, seen_at=timezone.now()
    )
    return lambda: familiar.forget_sources(user.pk)


def a_mailed_token() -> Callable[[], object]:
    user = a_user()
    link = links.create_link(MailToken.Purpose.RESET, user=user)
    MailToken.objects.filter(pk=link.pk).update(expires_at=timezone.now() + timedelta(days=400))
    return lambda: links.kill_links(user.pk, MailToken.Purpose.RESET, now=timezone.now())


def a_recovery_code() -> Callable[[], object]:
    user = a_user()
    code, *_ = factors.replace_recovery_codes(user.pk)
    RecoveryCode.objects.exclude(pk=RecoveryCode.objects.earliest("pk").pk).delete()
    return lambda: factors.accept(user, "recovery_code", code, now=timezone.now())


def a_recovery_code_of_an_older_version() -> Callable[[], object]:
    spend = a_recovery_code()
    RecoveryCode.objects.update(key_id="")
    return spend


def a_client() -> Callable[[], object]:
    made = clients.create_client(name="service", rotate=False, actor=Actor(HERE))
    return lambda: clients.authenticate_client(made.client_id, made.client_secret, source=HERE)


def a_client_that_never_comes() -> Callable[[], object]:
    clients.create_client(name="service", rotate=False, actor=Actor(HERE))
    return lambda: clients.create_client(name="service", rotate=True, actor=Actor(HERE))


def a_passkey() -> Callable[[], object]:
    row = Passkey(user=a_user(), credential_id="id", user_handle="", public_key=b"", sign_count=0)
    row.backup_eligible = row.backed_up = False
    row.key_id = keys.digest_kid()
    row.seal = relying_party.seal(row)
    row.save()
    return relying_party.reseal_passkeys


def hashes_of_another_system() -> Callable[[], object]:
    UserImport.objects.create(id="file", has_foreign_hashes=True)
    return UserImport.objects.all().delete


def an_erasure_that_was_interrupted() -> Callable[[], object]:
    User.objects.create(email_key="erased:0123456789abcdef", mailbox_proved_at=timezone.now())
    return User.objects.all().delete


BEARERS = [
    *(a_session, a_device, a_device_seen_once_since, a_familiar_source, a_mailed_token),
    *(a_recovery_code, a_recovery_code_of_an_older_version),
    *(a_client, a_client_that_never_comes, a_passkey),
    *(hashes_of_another_system, an_erasure_that_was_interrupted),
]


@pytest.mark.parametrize("make", BEARERS)
def test_a_key_stays_while_one_thing_bears_it(
    old: OpenKey, clock: Clock, make: Callable[[], Callable[[], object]]
) -> None:
    end = make()
    row = retire(old, clock)
    clock.now += 2 * DAY
    assert digest_bearers.is_borne(row, timezone.now())
    assert rings.destroy_unborne() == 0
    if make is a_device_seen_once_since:
        devices.remember_device(
            User.objects.get(),
            known_id=KnownDevice.objects.get().pk,
            user_agent="",
            now=timezone.now(),
        )
        assert digest_bearers.is_borne(row, timezone.now())
    end()
    assert not digest_bearers.is_borne(row, timezone.now())
    assert rings.destroy_unborne() == 1
    destroyed = Event.objects.filter(type="key.destroy").latest("id")
    assert (destroyed.reason, destroyed.details["key_id"]) == ("expired", old.kid)
    row.refresh_from_db()
    assert (row.state, bytes(row.sealed)) == ("gone", b"")


def test_a_key_stays_for_a_day_for_what_is_in_no_table(old: OpenKey, clock: Clock) -> None:
    row = retire(old, clock)
    clock.now += DAY
    assert digest_bearers.is_borne(row, timezone.now())
    clock.now += SLACK
    assert not digest_bearers.is_borne(row, timezone.now())


@pytest.mark.parametrize("make", [a_session, a_familiar_source])
def test_what_began_under_the_next_key_does_not_hold_the_one_before(
    old: OpenKey, clock: Clock, make: Callable[[], object]
) -> None:
    row = retire(old, clock)
    clock.now += SLACK
    make()
    clock.now += 2 * DAY
    assert not digest_bearers.is_borne(row, timezone.now())


def test_a_passkey_that_another_hand_wrote_neither_holds_a_key_nor_becomes_genuine(
    old: OpenKey, clock: Clock
) -> None:
    a_passkey()
    Passkey.objects.update(public_key=b"another")
    row = retire(old, clock)
    clock.now += 2 * DAY
    assert relying_party.reseal_passkeys() == 0
    assert not digest_bearers.is_borne(row, timezone.now())
    assert not relying_party.is_genuine(Passkey.objects.get())


def test_a_source_of_an_older_key_is_still_familiar(old: OpenKey, clock: Clock) -> None:
    user = a_user()
    FamiliarSource.objects.create(
        digest=familiar.digest_source(user.pk, HERE), user=user, seen_at=timezone.now()
    )
    retire(old, clock)
    clock.now += timedelta(seconds=settings.DEVICE_SECONDS // 2)
    assert rows.fetch_values(*familiar.last_seen(user.pk, HERE)) != (None,)
    familiar.forget_sources(user.pk, keep=HERE)
    assert FamiliarSource.objects.count() == 1


def test_an_opaque_id_stays_until_its_key_is_gone(old: OpenKey, clock: Clock) -> None:
    """Locks and counts by it survive a rotation; an erasure finds what either key named."""
    before = addresses.account_id("someone@example.org")
    retire(old, clock)
    assert addresses.account_id("someone@example.org") == before
    younger = replace(keys.ring(Key.Purpose.DIGEST).active)
    use(younger)
    after = addresses.account_id("someone@example.org")
    assert after != before


def test_ring_is_read_in_the_order_of_activation(
    old: OpenKey, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever clock the rows were made: the oldest key tells the opaque ids."""
    monkeypatch.setattr(keys, "_open", lambda row: replace(old, kid=row.kid, state=row.state))
    retire(old, clock)
    Key.objects.create(kid="next", purpose="digest", state="next", algorithm="HS256", sealed=b"")
    Key.objects.filter(kid="next").update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
    in_order = list(keys.read_ring(Key.Purpose.DIGEST).keys)
    assert (in_order[0], in_order[-1], len(in_order)) == (old.kid, "next", 3)
