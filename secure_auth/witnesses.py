"""Publishing checkpoints to witnesses (C2SP tlog-witness) and keeping their cosignatures.

One request at a time for each witness, on a thread of its own; the newest checkpoint alone counts, so that a slow
witness sees fewer. A witness that is away is asked again with growing pauses. One that remembers more than the log has,
or another history, contradicts it: a critical event, and nothing more is signed until it cosigns again, is no longer
configured, or a successor log has begun.
"""

import time
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import httpx
import structlog
from django.conf import settings
from django.db import transaction

from audit import cosignatures, tree
from audit.append import NewEvent, append_collapsed
from audit.cosignatures import Contradicted, Signed
from audit.events import SYSTEM, EventType, Outcome
from audit.tree import Torn
from audit.verify.notes import NotSigned, parse_note, verify_cosignature
from audit.vocabulary import Keeper
from audit.witness.submission import format_submission
from secure_auth.outgoing import Caller
from secure_auth.witness_settings import Witness

log = structlog.get_logger(__name__)

STEP_SECONDS = 5.0  # to connect, and for each piece of an answer
ANSWER_SECONDS = 10.0
ANSWER_BYTES = 64 * 1024
SIZE_DIGITS = 15  # what an event can say (53 bits)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 300.0
TURN_SECONDS = 2.0
SAY_SECONDS = 3600
AHEAD = "it cosigned more entries than the log has"
OTHER = "it cosigned another root of this size"
UNPROVED = "the log does not continue what it cosigned"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answered; status 0: nothing, and why."""

    status: int
    body: str


def make_caller() -> Caller:
    """What asks one witness."""
    return Caller(ANSWER_SECONDS, timeout=STEP_SECONDS)


@dataclass
class Peer:
    """A witness and how it stands with the present log."""

    witness: Witness
    log: int = 0
    cosigned: int = 0  # the largest size that a kept cosignature covers
    known: int = 0  # the size that the witness remembers, as far as we know
    posted: Signed | None = None
    old: int = 0
    running: Future[Answer] | None = None
    caller: Caller = field(default_factory=make_caller)
    retry_at: float = 0.0
    pause_seconds: float = field(default=0.0)
    has_followed: bool = False  # it named another size, and was asked again from there at once

    @property
    def name(self) -> str:
        """The witness's name."""
        return self.witness.key.name

    def is_due(self, newest: Signed) -> bool:
        """Whether it is to hear of this checkpoint now; of the first one always, cosigned or not."""
        if (
            self.running is not None
        ):  # what it answers is of the log that was posted, which may have ended meanwhile
            return False
        is_first = self.log != newest.log
        if is_first:  # what an earlier log had to wait for is not this one's
            self.pause_seconds = self.retry_at = 0.0
        if is_first or newest.size < self.cosigned:  # or the database was restored under us
            self.log, self.cosigned = newest.log, cosignatures.cosigned_size(newest.log, self.name)
            self.known = self.cosigned
        waiting = time.monotonic() < self.retry_at
        return not waiting and (is_first or self.cosigned < newest.size) and self.known <= newest.size

    def put_off(self, seconds: float | None = None) -> None:
        """Ask again later."""
        self.pause_seconds = seconds or min(
            LONGEST_PAUSE_SECONDS, self.pause_seconds * 2 or FIRST_PAUSE_SECONDS
        )
        self.retry_at = time.monotonic() + self.pause_seconds
        self.has_followed = False


class Publisher:
    """Posts the newest checkpoint to every configured witness."""

    def __init__(self) -> None:
        self._peers = [Peer(witness) for witness in settings.WITNESSES]
        self._threads = ThreadPoolExecutor(max(1, len(self._peers)), thread_name_prefix="witness")

    def confirm(self) -> None:
        """Ask every witness for the newest checkpoint, before the first new one is signed.

        A database that was restored together with DATA_DIR is found here, unless no witness answers in STEP_SECONDS.
        """
        self.publish_due()
        wait([peer.running for peer in self._peers if peer.running], STEP_SECONDS, ALL_COMPLETED)
        self.publish_due()

    def publish_due(self) -> bool:
        """Post what is due and judge what was answered; whether anything was. Blocks for TURN_SECONDS at most."""
        head = tree.current_head() if self._peers else None
        newest = cosignatures.newest_signed(head.log) if head else None
        if newest is None:
            return False
        for peer in self._peers:
            if peer.is_due(newest):
                self._post(peer, newest)
        running = [peer.running for peer in self._peers if peer.running]
        if running:
            wait(running, TURN_SECONDS, FIRST_COMPLETED)
        return sum(self._judge(peer) for peer in self._peers if peer.running and peer.running.done()) > 0

    def _post(self, peer: Peer, newest: Signed) -> None:
        try:
            proof = tree.consistency_proof(newest.log, peer.known, newest.size)
        except Torn as error:  # the integrator meets it too, and says so
            log.error("witness.no_proof", witness=peer.name, why=str(error))
            peer.put_off()
            return
        body = format_submission(peer.known, proof, newest.note)
        peer.posted, peer.old = newest, peer.known
        peer.running = self._threads.submit(ask, peer.caller, f"{peer.witness.url}/add-checkpoint", body)

    def _judge(self, peer: Peer) -> bool:
        running, posted, peer.running = peer.running, peer.posted, None
        if running is None or posted is None:
            return False
        if running.exception():  # a mistake of ours: told by the worker, once for each try
            peer.put_off()
        answer = running.result()
        if answer.status == httpx.codes.OK:
            return _keep(peer, posted, answer.body)
        if answer.status == httpx.codes.CONFLICT:
            return _settle(peer, posted, answer.body)
        if answer.status == httpx.codes.UNPROCESSABLE_ENTITY:
            return _contradict(peer, posted, peer.old, UNPROVED)
        peer.put_off()
        log.warning("witness.unanswered", witness=peer.name, status=answer.status, why=answer.body[:200])
        return False


def ask(caller: Caller, url: str, body: bytes | None = None) -> Answer:
    """Post, or get where there is no body, and read an answer of bounded length in a bounded time."""
    read = b""
    method, headers = ("GET", {}) if body is None else ("POST", {"Content-Type": "text/plain"})
    headers["Accept-Encoding"] = "identity"
    try:
        with caller.ask(method, url, content=body, headers=headers) as response:
            if "Content-Encoding" in response.headers:
                return Answer(0, "the answer is compressed")  # a few bytes may unfold to all memory
            for part in response.iter_raw():
                read += part
                if len(read) > ANSWER_BYTES:
                    return Answer(0, "the answer is too long")
            return Answer(response.status_code, read.decode("utf-8", "replace"))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(0, type(error).__name__)


def size_told(body: str) -> int | None:
    """The size in a witness's 409 (`text/x.tlog.size`); None where there is none, or one that no log has."""
    digits = body.strip()
    return int(digits) if digits.isdecimal() and len(digits) <= SIZE_DIGITS else None


def _keep(peer: Peer, posted: Signed, body: str) -> bool:
    """Keep the cosignature if it is the witness's own; lines of unknown keys are ignored."""
    text = parse_note(posted.note).text
    try:
        own = [line for line in body.splitlines() if verify_cosignature(line, text, [peer.witness.key])]
    except NotSigned as error:
        own = []
        log.warning("witness.forged", witness=peer.name, why=str(error))
    if not own:
        log.warning("witness.not_cosigned", witness=peer.name, size=posted.size)
        peer.put_off()
        return False
    cosignatures.keep_cosignature(posted, peer.name, f"{own[0]}\n")
    peer.cosigned = peer.known = posted.size
    peer.pause_seconds = peer.retry_at = 0.0
    peer.has_followed = False
    return True


def _settle(peer: Peer, posted: Signed, body: str) -> bool:
    """The witness remembers another size than we thought: go on from there, if the log has been there."""
    told = size_told(body)
    if told == peer.old == posted.size:
        return _contradict(peer, posted, told, OTHER)
    head = tree.head_of(posted.log)
    if head is not None and told is not None and told > head.size:
        return _contradict(peer, posted, told, AHEAD)
    if told is None or told == peer.old or peer.has_followed:  # sizes in turn would be followed without end
        log.warning("witness.senseless", witness=peer.name, why=body[:200])
        peer.put_off()
        return False
    if told < peer.cosigned:
        log.warning("witness.forgot", witness=peer.name, cosigned=peer.cosigned, remembers=told)
    peer.known, peer.has_followed = told, True
    return True


def _contradict(peer: Peer, posted: Signed, known_size: int, why: str) -> bool:
    """Nothing more is signed; the witness is asked again, rarely, in case that it was wrong."""
    found = Contradicted(peer.name, posted.size, known_size, why)
    log.critical("witness.contradicts", witness=peer.name, size=posted.size, known_size=known_size, why=why)
    details = {
        "log": posted.log,
        "size": posted.size,
        "known_size": known_size,
        "known_by": Keeper.WITNESS,
        "witness": peer.name,
    }
    event = NewEvent(type=EventType.LOG_INCONSISTENT, outcome=Outcome.FAILURE, source=SYSTEM, details=details)
    with transaction.atomic():
        cosignatures.keep_contradiction(posted.log, found)
        append_collapsed(event, key=f"{posted.log}:{Keeper.WITNESS}", window_seconds=SAY_SECONDS)
    peer.put_off(LONGEST_PAUSE_SECONDS)
    return True


def find_contradiction(log_number: int) -> Contradicted | None:
    """What a configured witness holds against a log; None where all agree with it, or have not answered."""
    names = [witness.key.name for witness in settings.WITNESSES]
    return next(iter(cosignatures.contradictions(log_number, names)), None)
