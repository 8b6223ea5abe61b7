"""manage.py rotate_keys."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.events import SYSTEM
from secure_auth import changing_master_key, resealing, rings
from secure_auth.management.operator import OperatorCommand, count_sessions
from secure_auth.management.verifying import progress_bar
from secure_auth.models import Key


class Command(OperatorCommand):
    """Move a ring on."""

    help = (
        "Make the next key of a ring the active one, retire the active one, and make a new next key. Reaches all "
        "workers of all nodes within 30 seconds, without a restart and without a failed request. With --purpose "
        "encryption every sealed secret is then sealed anew, and the old key destroyed; a run that was interrupted is "
        "finished by the next. With --purpose digest the old key counts until nothing bears it; then the worker "
        "destroys it. With --compromised KID that signing key and every token it signed are dead at once, and what "
        "they open ends. With --master all rings are sealed anew by the present master key, after all nodes were "
        "started with it and MASTER_KEY_PREVIOUS."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--purpose, --compromised or --master."""
        parser = parser.add_mutually_exclusive_group()  # type: ignore[assignment]
        parser.add_argument(
            "--master", action="store_true", help="seal the rings with the present master key"
        )
        parser.add_argument("--purpose", choices=[str(one) for one in Key.Purpose])
        parser.add_argument("--compromised", metavar="KID", help="a signing key that somebody else may hold")

    def act(self, **options: Any) -> None:
        """Rotate, and say which keys stand now."""
        purpose, compromised = options["purpose"], options["compromised"]
        if options["master"]:
            done = changing_master_key.seal_anew(source=SYSTEM)
            told = f"{done} key{'' if done == 1 else 's'} sealed anew"
            self.stdout.write(f"master key: {told if done else 'the present one seals every key already'}")
            return
        if compromised is None:
            purpose = purpose or Key.Purpose.SIGNING
            if purpose == Key.Purpose.ENCRYPTION:
                self._rotate_encryption()
                return
            rotated = rings.rotate(purpose=purpose, source=SYSTEM)
            self.stdout.write(f"{purpose}: active {rotated.active}, next {rotated.next}")
            return
        if purpose not in (None, Key.Purpose.SIGNING):
            raise CommandError("--compromised takes a signing key")
        rotated, ended = rings.compromise(kid=compromised, source=SYSTEM)
        self.stdout.write(
            f"{compromised} is gone, {count_sessions(ended)} ended\n"
            f"signing: active {rotated.active}, next {rotated.next}"
        )

    def _rotate_encryption(self) -> None:
        """Rotate, or finish what was interrupted, and say what was done."""
        with progress_bar("sealing anew") as advance:
            done = resealing.rotate_encryption(source=SYSTEM, on_progress=advance)
        if done.rotated:
            self.stdout.write(f"encryption: active {done.rotated.active}, next {done.rotated.next}")
        else:
            self.stdout.write("encryption: an earlier rotation is finished")
        count = sum(done.secrets.values())
        self.stdout.write(f"{count} secret{'' if count == 1 else 's'} sealed anew")
        for kid in done.destroyed:
            self.stdout.write(f"{kid} is gone")
