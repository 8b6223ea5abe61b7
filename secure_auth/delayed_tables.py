"""What was asked for and waits: for time to pass, or for mailboxes to confirm it.

A row is open until `settled_at`; whatever settles it is one conditional UPDATE under the account's lock, so that of
two who would, one does. At most one of each kind is open for an account.
"""

from django.db import models
from django.db.models import Q

from secure_auth.ids import new_id


class FactorReset(models.Model):
    """A reset of all second factors that `actor` asked for; it takes effect at `effective_at` unless cancelled."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    user = models.ForeignKey("secure_auth.User", on_delete=models.CASCADE)
    actor = models.CharField(max_length=36, blank=True)
    created_at = models.DateTimeField()
    remind_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    reminded_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["user"], condition=Q(settled_at=None), name="one_open_factor_reset"
            ),
        )

    def __str__(self) -> str:
        return self.id


class AddressChange(models.Model):
    """A change of address that both mailboxes have to confirm, under the credentials that it was asked with."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    user = models.ForeignKey("secure_auth.User", on_delete=models.CASCADE)
    session_id = models.CharField(max_length=36)
    credential_version = models.PositiveIntegerField()
    email = models.CharField(max_length=320)
    email_key = models.CharField(max_length=320)
    created_at = models.DateTimeField(db_index=True)
    old_confirmed_at = models.DateTimeField(null=True)
    new_confirmed_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["user"], condition=Q(settled_at=None), name="one_open_address_change"
            ),
        )

    def __str__(self) -> str:
        return self.id
