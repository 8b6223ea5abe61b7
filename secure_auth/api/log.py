"""audit/log/ (C2SP tlog-tiles) and the proofs of events."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import evidence
from secure_auth.api.common import TEXT, ServiceView, wants_text
from secure_auth.api.example_values import CHECKPOINT, TLOG_PROOF, VERIFIER_KEY
from secure_auth.api.log_answers import Proof
from secure_auth.errors import Code

BYTES = "application/octet-stream"
FOR_EVER_SECONDS = 365 * 86400


class ProofView(ServiceView):
    """GET audit/events/{id}/proof/."""

    bearer = "access"
    role = "auditor"
    answers = {"GET": (200, Proof)}
    other_media = {"text/plain": TLOG_PROOF}
    problems = (Code.EVENT_PENDING,)

    def get(self, request: Request, event_id: str) -> Response | HttpResponse:
        """The inclusion proof of an event under the newest signed checkpoint.

        With `Accept: text/plain` it is a C2SP `tlog-proof`. Of a pruned event `event` and `leaf` are null.
        """
        proof = evidence.show_proof(signed=self.signed, event_id=event_id, source=self.source)
        if wants_text(request):
            return HttpResponse(proof.as_text(), content_type=TEXT)
        return Response(proof.as_dict())


class LogView(ServiceView):
    """What is under audit/log/: for auditors, or for everybody where AUDIT_LOG_PUBLIC says so."""

    bearer = "access"
    role = "auditor"
    media_type = "text/plain"
    is_lasting = False  # whether an answer stays true for ever, under the number of its log

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Ask nobody for a token where the log is public, and record the reading."""
        if settings.AUDIT_LOG_PUBLIC:
            self.bearer = self.role = ""  # type: ignore[misc]
        super().initial(request, *args, **kwargs)
        evidence.record_log_reading(signed=getattr(self, "signed", None), source=self.source)

    def answer(self, content: str | bytes, media_type: str) -> HttpResponse:
        """An answer that may be kept for as long as it stays true: without a number, until a successor begins."""
        response = HttpResponse(content, content_type=media_type)
        whose = "public" if settings.AUDIT_LOG_PUBLIC else "private"
        stays = self.is_lasting and self.kwargs.get("number") is not None
        response["Cache-Control"] = f"{whose}, max-age={FOR_EVER_SECONDS}, immutable" if stays else "no-cache"
        return response


class CheckpointView(LogView):
    """GET audit/log/checkpoint."""

    example = CHECKPOINT
    answers = {"GET": (200, OpenApiTypes.STR)}

    def get(self, request: Request, number: int | None = None) -> HttpResponse:
        """The newest checkpoint: a C2SP tlog-checkpoint with the cosignatures of witnesses."""
        return self.answer(evidence.read_checkpoint(number), TEXT)


class VerifierKeyView(LogView):
    """GET audit/log/vkey."""

    example = VERIFIER_KEY
    answers = {"GET": (200, OpenApiTypes.STR)}

    def get(self, request: Request, number: int | None = None) -> HttpResponse:
        """The C2SP verifier key that new checkpoints are signed with."""
        return self.answer(evidence.read_verifier_keys(number)[0] + "\n", TEXT)


class VerifierKeysView(LogView):
    """GET audit/log/vkeys."""

    example = VERIFIER_KEY
    answers = {"GET": (200, OpenApiTypes.STR)}

    def get(self, request: Request, number: int | None = None) -> HttpResponse:
        """The active verifier key and the next one, a line each: checkpoints are signed with both."""
        return self.answer("".join(f"{key}\n" for key in evidence.read_verifier_keys(number)), TEXT)


class TileView(LogView):
    """GET audit/log/tile/{level}/{tile}."""

    answers = {"GET": (200, OpenApiTypes.BINARY)}
    media_type = BYTES
    is_lasting = True

    def get(
        self, request: Request, level: int, tile: tuple[int, int], number: int | None = None
    ) -> HttpResponse:
        """A tile of hashes: `{tile}` is `000` to `999`, `x001/000` and so on, with `.p/{width}` where it is partial."""
        return self.answer(evidence.read_tile(number, level, *tile), BYTES)


class BundleView(LogView):
    """GET audit/log/tile/entries/{tile}."""

    answers = {"GET": (200, OpenApiTypes.BINARY)}
    problems = (Code.GONE,)
    media_type = BYTES
    is_lasting = True

    def get(self, request: Request, tile: tuple[int, int], number: int | None = None) -> HttpResponse:
        """The leaves of a tile, each after its length in two bytes. Where bodies were pruned it is `gone`."""
        return self.answer(evidence.read_bundle(number, *tile), BYTES)
