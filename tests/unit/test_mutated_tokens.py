"""Whatever is one change away from a genuine token is refused as one, by every kind, and breaks nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tests.ready  # noqa: F401
from secure_auth import digest_ring, tokens
from secure_auth.models import PendingLogin, Session, User
from secure_auth.tokens import AccessToken, InvalidToken, PartialToken, RefreshToken, RingToken
from tests.conftest import scaled
from tests.mutations import mutations
from tests.rings import rings, signing_key

KINDS: tuple[type[RingToken], ...] = (AccessToken, RefreshToken, PartialToken)


@pytest.fixture(scope="module")
def genuine() -> Iterator[dict[type[RingToken], str]]:
    """A token of each kind."""
    now = datetime.now(UTC).replace(microsecond=0)
    later = now + timedelta(hours=1)
    session = Session(
        user_id="someone",
        auth_time=now,
        amr="pwd otp mfa",
        rotated_at=now,
        idle_expires_at=later,
        expires_at=later,
    )
    with rings(signing_key(), signing_key("next")):
        pair = tokens.issue_pair(
            session, User(id="someone", role="admin"), digest_key=digest_ring.active_key(), now=now
        )
        partial = tokens.issue_partial(PendingLogin(user_id="someone", expires_at=later))
        yield {AccessToken: pair.access, RefreshToken: pair.refresh, PartialToken: partial}


@settings(
    max_examples=scaled(400, 20_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
@pytest.mark.parametrize("kind", KINDS)
def test_mutated_token_is_of_no_kind(
    genuine: dict[type[RingToken], str], kind: type[RingToken], data: st.DataObject
) -> None:
    mutant = data.draw(mutations(genuine[kind]))
    for judge in KINDS:
        with pytest.raises(InvalidToken):
            judge.read(mutant)
    assert kind.read(genuine[kind])
