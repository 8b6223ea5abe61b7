"""The rules, with their thresholds. docs/detections.md explains each; `sigma/` says the same in Sigma's words.

A threshold lies above what the limits let one honest person do and below what they let an attacker do unseen.
"""

from typing import Final

from django.utils.translation import gettext_noop as _

from audit.detections import predicates as saw
from audit.detections.rule import Kind, Rule
from audit.events import EventType as Type
from audit.events import Severity
from audit.vocabulary import DetectionRule

HOUR: Final = 3600
DAY: Final = 86400

RULES: Final = (
    Rule(
        id=DetectionRule.BRUTE_FORCE,
        severity=Severity.MEDIUM,
        title=_("Password guessing at one account"),
        why=_(
            "{guesses} wrong passwords or refused attempts at one account within an hour, "
            "from {sources:source|sources}."
        ),
        by=Kind.ACCOUNT,
        window_seconds=HOUR,
        types=saw.ASK_PASSWORD | {Type.LIMIT_EXCEEDED},
        counts={"guesses": saw.guessed_password},
        distinct={"sources": (Kind.SOURCE, saw.guessed_password)},
        reached=({"guesses": 10},),
    ),
    Rule(
        id=DetectionRule.PASSWORD_SPRAYING,
        severity=Severity.MEDIUM,
        title=_("Password spraying from one source"),
        why=_("Wrong passwords for {accounts} different accounts from one source within an hour."),
        by=Kind.SOURCE,
        window_seconds=HOUR,
        types=saw.ASK_PASSWORD,
        counts={"guesses": saw.wrong_password},
        distinct={"accounts": (Kind.ACCOUNT, saw.wrong_password)},
        reached=({"accounts": 15},),
    ),
    Rule(
        id=DetectionRule.CREDENTIAL_STUFFING,
        severity=Severity.HIGH,
        title=_("Credential stuffing with success from one source"),
        why=_(
            "{opened:password was|passwords were} right amid wrong ones for {accounts} accounts, {unknown} of which "
            "do not exist, from one source within an hour: a list of stolen passwords is being tried."
        ),
        by=Kind.SOURCE,
        window_seconds=HOUR,
        types=frozenset({Type.LOGIN_PASSWORD}),
        counts={"guesses": saw.wrong_password, "successes": saw.right_password},
        distinct={
            "accounts": (Kind.ACCOUNT, saw.wrong_password),
            "unknown": (Kind.ACCOUNT, saw.unknown_account),
            "opened": (Kind.ACCOUNT, saw.right_password),
        },
        reached=({"accounts": 10, "unknown": 5, "opened": 1},),
    ),
    Rule(
        id=DetectionRule.DISTRIBUTED_GUESSING,
        severity=Severity.HIGH,
        title=_("Passwords tried for unknown accounts from many sources"),
        why=_(
            "Passwords for {accounts} accounts that do not exist from {sources} sources within an hour: "
            "a list is being tried by many machines."
        ),
        by=Kind.SERVICE,
        window_seconds=HOUR,
        types=frozenset({Type.LOGIN_PASSWORD}),
        counts={"guesses": saw.unknown_account},
        distinct={
            "accounts": (Kind.ACCOUNT, saw.unknown_account),
            "sources": (Kind.SOURCE, saw.unknown_account),
        },
        reached=({"accounts": 50, "sources": 20},),
    ),
    Rule(
        id=DetectionRule.SECOND_FACTOR_GUESSING,
        severity=Severity.HIGH,
        title=_("Second factor guessing at one account"),
        why=_(
            "{codes} wrong codes or refused attempts at the second step of one account within an hour: somebody knows "
            "its password."
        ),
        by=Kind.ACCOUNT,
        window_seconds=HOUR,
        types=frozenset({Type.LOGIN_SECOND_FACTOR, Type.SESSION_REAUTHENTICATE, Type.LIMIT_EXCEEDED}),
        counts={"codes": saw.guessed_code},
        distinct={"sources": (Kind.SOURCE, saw.guessed_code)},
        reached=({"codes": 6},),
    ),
    Rule(
        id=DetectionRule.REFRESH_REUSE,
        severity=Severity.HIGH,
        title=_("Refresh token used again"),
        why=_(
            "A refresh token came back after its successor was issued ({reuses} so far): two parties hold it. The "
            "session was ended."
        ),
        by=Kind.SESSION,
        window_seconds=HOUR,
        types=frozenset({Type.TOKEN_REUSE}),
        counts={"reuses": saw.reuse},
        reached=({"reuses": 1},),
    ),
    Rule(
        id=DetectionRule.LOCKOUT_WEAPON,
        severity=Severity.MEDIUM,
        title=_("An account is locked again and again from elsewhere"),
        why=_(
            "One account was locked {locks:time|times} from {sources:source|sources} within a day, "
            "{everywhere:time|times} for every source: the lock itself may be the aim."
        ),
        by=Kind.ACCOUNT,
        window_seconds=DAY,
        types=frozenset({Type.ACCOUNT_LOCK}),
        counts={"locks": saw.password_lock, "everywhere": saw.lock_from_anywhere},
        distinct={"sources": (Kind.SOURCE, saw.password_lock)},
        reached=({"locks": 3, "sources": 3}, {"everywhere": 1}),
    ),
    Rule(
        id=DetectionRule.NEW_DEVICE_AFTER_RESET,
        severity=Severity.MEDIUM,
        title=_("A new device after a reset"),
        why=_(
            "{resets:reset|resets} of the password or second factor of one account, then "
            "{logins:login from a source that was|logins from sources that were} not familiar, within a day."
        ),
        by=Kind.ACCOUNT,
        window_seconds=DAY,
        types=frozenset({Type.PASSWORD_RESET, Type.MFA_RESET, Type.SESSION_OPEN, Type.MFA_TOTP_CONFIRM}),
        counts={"resets": saw.reset, "logins": saw.login_after_reset},
        reached=({"resets": 1, "logins": 1},),
        in_order=("resets", "logins"),
    ),
    Rule(
        id=DetectionRule.MANY_RESETS,
        severity=Severity.LOW,
        title=_("Many resets asked for one account"),
        why=_(
            "{requests} reset links were asked for one account within a day, from {sources:source|sources}."
        ),
        by=Kind.ACCOUNT,
        window_seconds=DAY,
        types=frozenset({Type.PASSWORD_RESET_REQUEST}),
        counts={"requests": saw.asked_for_reset},
        distinct={"sources": (Kind.SOURCE, saw.asked_for_reset)},
        reached=({"requests": 5},),
    ),
    Rule(
        id=DetectionRule.RESETS_FROM_ONE_SOURCE,
        severity=Severity.LOW,
        title=_("Resets of many accounts from one source"),
        why=_("Reset links for {accounts} accounts were asked for from one source within a day."),
        by=Kind.SOURCE,
        window_seconds=DAY,
        types=frozenset({Type.PASSWORD_RESET_REQUEST}),
        counts={"requests": saw.asked_for_reset},
        distinct={"accounts": (Kind.ACCOUNT, saw.asked_for_reset)},
        reached=({"accounts": 5},),
    ),
    Rule(
        id=DetectionRule.PARTIAL_TOKEN_ELSEWHERE,
        severity=Severity.MEDIUM,
        title=_("A partial token used elsewhere than its password"),
        why=_("The password and the second step of one login came from {sources} different sources."),
        by=Kind.LOGIN,
        window_seconds=HOUR,
        types=frozenset({Type.LOGIN_PASSWORD, Type.ACCOUNT_CONFIRM, *saw.STEPS}),
        counts={"passwords": saw.password_step, "steps": saw.later_step},
        distinct={"sources": (Kind.SOURCE, saw.any_step)},
        reached=({"passwords": 1, "steps": 1, "sources": 2},),
    ),
    Rule(
        id=DetectionRule.MANY_NEW_DEVICES,
        severity=Severity.MEDIUM,
        title=_("New devices of many accounts on one source"),
        why=_(
            "{accounts} accounts were signed in to as from a new device, all from one source, within a day."
        ),
        by=Kind.SOURCE,
        window_seconds=DAY,
        types=frozenset({Type.SESSION_OPEN}),
        counts={"logins": saw.new_device},
        distinct={"accounts": (Kind.ACCOUNT, saw.new_device)},
        reached=({"accounts": 5},),
    ),
)
