"""The queue of webhook messages: who sends what when, and when it gives up."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from audit.detections.tables import Detection, WebhookMessage
from audit.events import Reason
from audit.models import Event
from secure_auth import webhooks
from secure_auth.rows import fetch_values
from secure_auth.webhook_settings import Webhooks
from tests.receiver import Receiver, running_receiver
from tests.unit.audit.conftest import only
from tests.unit.audit.test_detection_engine import begin

KEY = bytes(range(32))


@pytest.fixture(autouse=True)
def _empty(log: object) -> Iterator[None]:
    begin(1)
    yield
    WebhookMessage.objects.all().delete()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with running_receiver() as running:
        urls = (running.url("/one"), running.url("/two"))
        monkeypatch.setattr(settings, "WEBHOOKS", Webhooks(urls, (KEY,)), raising=False)
        yield running


def queue(count: int) -> None:
    first = "01a20a2c-881d-764c-ae95-3fa17434e261"
    webhooks.queue(
        [
            Detection(
                id=f"00000000-0000-8000-8000-{number:012d}", rule="refresh_reuse", severity="high", kind="session",
                first_event=first, last_event=first, count=1, figures={"reuses": 1}, earliest=[first], latest=[first],
                raised_at=timezone.now(), announced=True,
            )
            for number in range(count)
        ]
    )  # fmt: skip


def due_now(**changes: Any) -> None:
    WebhookMessage.objects.filter(sent_at=None).update(next_attempt_at=timezone.now(), **changes)


def failures() -> list[str]:
    return list(Event.objects.filter(type="webhook.fail").values_list("reason", flat=True))


def test_a_receiver_that_fails_is_asked_once_and_the_other_gets_all(receiver: Receiver) -> None:
    receiver.answers["/two"] = 503
    queue(4)
    assert webhooks.send_due() == 4
    assert (len(receiver.at("/one")), len(receiver.at("/two"))) == (4, 1)
    assert webhooks.send_due() == 0
    receiver.answers["/two"] = 200
    due_now()
    assert webhooks.send_due() == 4
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 8


def test_a_receiver_that_hangs_keeps_no_other_waiting(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 1)
    urls = (receiver.url("/slow"), receiver.url("/one"))
    monkeypatch.setattr(settings, "WEBHOOKS", Webhooks((*urls, receiver.url("/gone")), (KEY,)), raising=False)
    queue(1)
    monkeypatch.setattr(settings, "WEBHOOKS", Webhooks(urls, (KEY,)), raising=False)
    slow, fast, gone = webhooks.lanes()
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    for lane, taken in ((fast, 1), (gone, 0), (slow, 0)):
        assert fetch_values(lane.due, [now]) == (1,)
        assert lane.send_due() == taken
        assert fetch_values(lane.due, [now]) is None
        assert len(receiver.at("/slow")) == (lane is slow)
    assert failures() == ["not_found"]


def test_what_is_queued_while_a_receiver_fails_waits_with_the_rest(receiver: Receiver) -> None:
    def answer(before: int) -> int:
        if not before:
            queue(1)
            connection.close()
        return 503

    receiver.answers |= {"/one": answer, "/two": 503}
    queue(1)
    webhooks.send_due()
    assert not WebhookMessage.objects.filter(next_attempt_at__lte=timezone.now()).exists()


def test_pauses_grow_with_every_try_and_the_last_gives_up(receiver: Receiver) -> None:
    receiver.answers |= {"/one": 200, "/two": 500}
    queue(1)
    pauses = []
    for _ in range(len(webhooks.BACKOFF_SECONDS) + 1):
        due_now()
        now = timezone.now()
        webhooks.send_due()
        waiting = WebhookMessage.objects.filter(sent_at=None, failed_at=None).first()
        if waiting:
            pauses.append((waiting.next_attempt_at - now).total_seconds())
    for pause, wanted in zip(pauses, webhooks.BACKOFF_SECONDS, strict=True):
        assert 0.75 * wanted <= pause <= 1.25 * wanted + 5
    assert failures() == ["rejected"]
    (dead,) = WebhookMessage.objects.filter(sent_at=None)
    assert (dead.attempts, dead.error) == (9, "status 500")


def test_nothing_is_tried_for_longer_than_a_day(receiver: Receiver) -> None:
    receiver.answers |= {"/one": 500, "/two": 500}
    queue(3)
    due_now(queued_at=timezone.now() - timedelta(hours=25))
    webhooks.send_due()
    assert len(receiver.received) == 2, "one message asks for all that wait"
    assert failures() == ["rejected"] * 6
    receiver.answers |= {"/one": 200, "/two": 200}
    assert all(webhooks.retry(row.id, note="") for row in WebhookMessage.objects.all())
    assert webhooks.send_due() == 6
    assert not webhooks.retry(WebhookMessage.objects.first().id, note="")  # type: ignore[union-attr]


def test_a_receiver_that_hangs_up_or_is_not_there_is_one_that_fails(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WEBHOOKS", Webhooks(("http://127.0.0.1:9/",), (KEY,)), raising=False)
    queue(1)
    assert webhooks.send_due() == 0
    assert WebhookMessage.objects.get().error == "ConnectError"


@only("postgres")
def test_several_senders_send_a_message_once(receiver: Receiver) -> None:
    queue(20)
    together = threading.Barrier(4)

    def work(_: int) -> int:
        together.wait()
        taken = webhooks.send_due()
        connection.close()
        return taken

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 40
    assert len(receiver.received) == 40


def test_taken_messages_are_kept_for_a_week(receiver: Receiver) -> None:
    queue(1)
    webhooks.send_due()
    assert webhooks.prune_sent() == 0
    WebhookMessage.objects.update(sent_at=timezone.now() - timedelta(days=8))
    assert webhooks.prune_sent() == 2


def test_a_claim_is_one_sender_s_until_it_must_be_dead(receiver: Receiver) -> None:
    queue(1)
    first, second, third = (WebhookMessage.objects.order_by("id").first() for _ in range(3))
    assert first
    assert second
    assert third
    now = timezone.now()
    assert webhooks._claim(first)
    assert not webhooks._claim(second), "it is another's"
    (held,) = WebhookMessage.objects.filter(pk=first.pk)
    assert (held.attempts, first.attempts) == (1, 1)
    pause = (held.next_attempt_at - now).total_seconds()
    assert webhooks.CLAIM_SECONDS <= pause < webhooks.CLAIM_SECONDS + 5
    assert pause > webhooks.DEADLINE_SECONDS
    assert not webhooks._claim(held), "not due"
    due_now()
    assert not webhooks._claim(third), "it read the row before"
    for gone in ({"sent_at": now}, {"failed_at": now}):
        WebhookMessage.objects.filter(pk=first.pk).update(
            next_attempt_at=now, **{"sent_at": None, "failed_at": None, **gone}
        )
        (held,) = WebhookMessage.objects.filter(pk=first.pk)
        assert not webhooks._claim(held)


def test_only_what_was_given_up_is_sent_anew_and_from_the_beginning(receiver: Receiver) -> None:
    queue(1)
    waiting, dead = WebhookMessage.objects.order_by("id")
    old = timezone.now() - timedelta(hours=25)
    WebhookMessage.objects.filter(pk=dead.pk).update(
        attempts=9, failed_at=old, queued_at=old, next_attempt_at=timezone.now() + timedelta(hours=4)
    )
    assert not webhooks.retry(waiting.id, note="")
    assert webhooks.retry(dead.id, note="")
    assert not webhooks.retry(dead.id, note=""), "it waits"
    (row,) = WebhookMessage.objects.filter(pk=dead.pk)
    assert (row.attempts, row.failed_at) == (0, None)
    assert old < row.queued_at <= row.next_attempt_at <= timezone.now()
    assert Event.objects.filter(type="webhook.retry").count() == 1
    receiver.answers |= {"/one": 500, "/two": 500}
    webhooks.send_due()
    assert failures() == [], "its day begins anew"


def test_what_another_sender_is_at_is_not_given_up_with_the_rest(receiver: Receiver) -> None:
    receiver.answers |= {"/one": 500, "/two": 500}
    queue(2)
    due_now(queued_at=timezone.now() - timedelta(hours=25))
    held = WebhookMessage.objects.order_by("id").first()
    assert held
    assert webhooks._claim(held)
    webhooks.send_due()
    assert failures() == ["rejected"] * 3


def test_receivers_are_asked_through_no_proxy(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    queue(1)
    assert webhooks.send_due() == 2


def test_what_another_sender_delivered_meanwhile_is_not_given_up(receiver: Receiver) -> None:
    """One that was stopped for longer than its claim, and wakes when its connection is dead."""
    queue(1)
    due_now(attempts=len(webhooks.BACKOFF_SECONDS))
    stopped = WebhookMessage.objects.order_by("id").first()
    assert stopped
    assert webhooks._claim(stopped)
    due_now()
    assert webhooks.send_due() == 2
    webhooks._put_off(stopped, Reason.UNAVAILABLE, "ConnectError")
    assert failures() == []
    assert list(WebhookMessage.objects.values_list("failed_at", flat=True)) == [None, None]
