"""The published test vectors, through the code that the service runs."""

import json
from pathlib import Path
from typing import Any

import pytest
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

import tests.ready  # noqa: F401
from mfa import totp
from secure_auth import keys
from secure_auth.tokens import AccessToken, InvalidToken
from tests.rings import rings, signing_key

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "rfc.json").read_text())
HOTP, TOTP, ARGON2 = VECTORS["rfc4226_hotp"], VECTORS["rfc6238_totp"], VECTORS["rfc9106_argon2id"]
STEP = totp.STEP_SECONDS
SEED = bytes.fromhex(TOTP["seeds_hex"]["SHA1"])


@pytest.mark.parametrize(("counter", "code"), HOTP["codes"].items())
def test_rfc_4226_code_belongs_to_its_counter(counter: str, code: str) -> None:
    secret = bytes.fromhex(HOTP["secret_hex"])
    assert totp.matching_step(secret, code, now=int(counter) * STEP) == int(counter)


@pytest.mark.parametrize("digits", totp.DIGITS)
@pytest.mark.parametrize(
    ("algorithm", "time", "code"),
    [
        (algorithm, time, code)
        for algorithm, codes in TOTP["codes_of_8_digits"].items()
        for time, code in codes.items()
    ],
)
def test_rfc_6238_code_is_accepted_one_step_around_its_time(
    algorithm: str, time: str, code: str, digits: int
) -> None:
    seed, moment, code = bytes.fromhex(TOTP["seeds_hex"][algorithm]), int(time), code[-digits:]
    scheme, step = totp.Scheme(algorithm, digits), moment // STEP
    for near in (step - 1, step, step + 1):
        assert totp.matching_step(seed, code, scheme, now=near * STEP) == step
        assert totp.matching_step(seed, code, scheme, now=near * STEP + STEP - 0.001) == step
        assert totp.clock_offset_seconds(seed, code, scheme, now=near * STEP) is None
    for far in (step - 2, step + 2):
        assert totp.matching_step(seed, code, scheme, now=far * STEP) is None
    for other in totp.DIGITS:
        if other != digits:
            assert totp.matching_step(seed, code, totp.Scheme(algorithm, other), now=moment) is None


def test_code_that_two_steps_share_uses_up_both() -> None:
    older, newer, code = 153_567, 153_569, "468457"
    for now in (older + 1) * STEP, (newer + 1) * STEP:
        assert totp.matching_step(SEED, code, now=now) == newer
    assert totp.matching_step(SEED, code, now=older * STEP) == older


@pytest.mark.parametrize("off", [-20, -6, -2, 2, 6, 20])
def test_code_of_a_wrong_clock_tells_how_wrong(off: int) -> None:
    seed, code = SEED, TOTP["codes_of_8_digits"]["SHA1"]["2000000000"][-6:]
    now = 2000000000 - off * STEP
    assert totp.matching_step(seed, code, now=now) is None
    assert totp.clock_offset_seconds(seed, code, totp.APPS, now=now) == off * STEP


@pytest.mark.parametrize("off", [-21, 21, 100])
def test_code_of_a_far_time_tells_nothing(off: int) -> None:
    code = TOTP["codes_of_8_digits"]["SHA1"]["2000000000"][-6:]
    assert totp.clock_offset_seconds(SEED, code, totp.APPS, now=2000000000 - off * STEP) is None


@pytest.mark.parametrize(
    "code",
    [
        "",
        "94287082",
        "28708",
        "28708x",
        "٢٨٧٠٨٢",
        "\uff12\uff18\uff17\uff10\uff18\uff12",
        "287082\n",
        "-87082",
        "2\u00a087082",
    ],
)
def test_only_six_plain_digits_can_be_a_code(code: str) -> None:
    assert totp.matching_step(SEED, code, now=59) is None


def test_blanks_inside_a_code_do_not_matter() -> None:
    assert totp.matching_step(SEED, "287 082", now=59) == 1


@pytest.mark.parametrize("vector", VECTORS["rfc7638_thumbprint"], ids=lambda vector: vector["source"])
def test_rfc_7638_thumbprint(vector: dict[str, Any]) -> None:
    assert keys.thumbprint(vector["jwk"]) == vector["thumbprint"]


def test_rfc_9106_argon2id_and_the_library_behind_the_hasher_agree() -> None:
    """One implementation reproduces the vector; the one that hashes passwords gives the same under our settings."""
    given = {
        name: bytes.fromhex(ARGON2[f"{name}_hex"]) for name in ("password", "salt", "secret", "ad", "tag")
    }
    reference = Argon2id(
        salt=given["salt"],
        length=len(given["tag"]),
        iterations=ARGON2["passes"],
        lanes=ARGON2["lanes"],
        memory_cost=ARGON2["memory_KiB"],
        ad=given["ad"],
        secret=given["secret"],
    )
    assert reference.derive(given["password"]) == given["tag"]
    for memory, passes, lanes in ((19456, 2, 1), (ARGON2["memory_KiB"], ARGON2["passes"], ARGON2["lanes"])):
        ours = hash_secret_raw(given["password"], given["salt"], passes, memory, lanes, 32, Type.ID)
        theirs = Argon2id(salt=given["salt"], length=32, iterations=passes, lanes=lanes, memory_cost=memory)
        assert ours == theirs.derive(given["password"])


@pytest.mark.parametrize("name", ["hs256", "none", "es256"])
def test_rfc_7515_examples_are_no_tokens_of_ours(name: str) -> None:
    with rings(signing_key()), pytest.raises(InvalidToken):
        AccessToken.read(VECTORS["rfc7515_jws"][name])
