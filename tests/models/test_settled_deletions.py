"""What an owner deleted is erased when requests that read the account before are over, and not earlier."""

from datetime import timedelta

import pytest
from django.utils import timezone

from secure_auth import erasure
from secure_auth.models import User

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize(
    ("age_seconds", "is_erased"),
    [(0, False), (erasure.SETTLE_SECONDS - 0.01, False), (erasure.SETTLE_SECONDS + 0.01, True), (None, True)],
)
def test_only_a_settled_deletion_is_finished(
    monkeypatch: pytest.MonkeyPatch, age_seconds: float | None, is_erased: bool
) -> None:
    now = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    disabled_at = None if age_seconds is None else now - timedelta(seconds=age_seconds)
    user = User.objects.create(
        email_key=f"{erasure.DELETED}a:1",
        email=erasure.DELETED,
        disabled_at=disabled_at,
        mailbox_proved_at=now,
    )
    try:
        assert erasure.finish_deletions() is is_erased
        assert User.objects.filter(pk=user.pk).exists() is not is_erased
    finally:
        user.delete()
