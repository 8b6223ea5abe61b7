"""The answer of me/export/, as the schema tells it."""

from rest_framework import serializers

from secure_auth.api.answers import ROLES, Answer, Authenticator, Device, Session
from secure_auth.api.log_answers import Event


class OwnAccount(Answer):
    """My account."""

    id = serializers.CharField()
    email = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField(choices=ROLES))
    created_at = serializers.DateTimeField()
    mailbox_proved_at = serializers.DateTimeField(help_text="1970 where another system proved it.")


class PersonalData(Answer):
    """A copy of everything about me, but what opens my account."""

    exported_at = serializers.DateTimeField()
    account = OwnAccount()
    authenticators = Authenticator(many=True)
    recovery_codes_left = serializers.IntegerField(min_value=0)
    sessions = Session(many=True, help_text="Also those that ended, until they are pruned.")
    devices = Device(many=True)
    events = Event(many=True, help_text="Newest first.")
    events_complete = serializers.BooleanField(help_text="Whether these are all.")
