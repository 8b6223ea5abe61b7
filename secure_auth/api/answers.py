"""The answers of the JSON API, as the schema tells them; the views build them from dictionaries of these shapes."""

from rest_framework import serializers

ROLES = ("admin", "auditor")
AS_COOKIE = "Absent where `X-Token-Delivery: cookie` asked for cookies."
NOTHING: dict[str, object] = {"type": "object", "maxProperties": 0, "example": {}}


class Answer(serializers.Serializer):
    """An object that a view answers; it is documented here and never parsed."""


class Fault(Answer):
    """What is wrong with a field."""

    code = serializers.CharField()
    detail = serializers.CharField()


class Accepted(Answer):
    """The request was taken. Whether mail goes out is told to the mailbox only."""

    status = serializers.ChoiceField(choices=["accepted"])


class AddressConfirmed(Answer):
    """One mailbox confirmed the change of address."""

    status = serializers.ChoiceField(
        choices=["waiting", "changed"], help_text="waiting: the other mailbox has to confirm too."
    )


class LoginAnswer(Answer):
    """A proved password. The partial token opens the second step and nothing else."""

    partial_token = serializers.CharField(required=False, help_text=AS_COOKIE)
    expires_in = serializers.IntegerField(min_value=1, help_text="Seconds.")
    next = serializers.ChoiceField(
        choices=["verify", "enroll"],
        help_text="verify: go on at login/verify/. enroll: the account has no second factor yet, go on at mfa/totp/.",
    )
    methods = serializers.ListField(
        child=serializers.ChoiceField(choices=["totp", "webauthn", "recovery_code"]),
        help_text="What the second step takes; empty where next is enroll.",
    )


class TokenPair(Answer):
    """An access token and the refresh token that fetches the next pair."""

    access = serializers.CharField(required=False, help_text=f"A JWT (RFC 9068). {AS_COOKIE}")
    refresh = serializers.CharField(required=False, help_text=f"Good for one refresh. {AS_COOKIE}")
    token_type = serializers.ChoiceField(choices=["Bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires.")
    refresh_expires_in = serializers.IntegerField(help_text="Seconds until the refresh token expires.")
    session_id = serializers.CharField()
    password_change_required = serializers.BooleanField(
        required=False,
        help_text="true where the password must be changed first; absent else.",
    )


class SessionOpened(TokenPair):
    """A completed login."""

    device_token = serializers.CharField(
        required=False, help_text="Where remember_device was true: sent as X-Device-Token at later logins."
    )
    recovery_codes_left = serializers.IntegerField(
        required=False, min_value=0, help_text="After a recovery code. At 3 or fewer it is time for new ones."
    )


class FreshAccess(Answer):
    """An access token whose auth_time is now."""

    access = serializers.CharField(required=False, help_text=AS_COOKIE)
    token_type = serializers.ChoiceField(choices=["Bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds.")


class Introspection(Answer):
    """RFC 7662. Of a token that is not live there is only `active: false`."""

    active = serializers.BooleanField()
    token_type = serializers.ChoiceField(choices=["Bearer"], required=False)
    iss = serializers.CharField(required=False)
    aud = serializers.CharField(required=False)
    sub = serializers.CharField(required=False, help_text="The account's id.")
    jti = serializers.CharField(required=False)
    iat = serializers.IntegerField(required=False)
    exp = serializers.IntegerField(required=False)
    client_id = serializers.CharField(required=False)
    sid = serializers.CharField(required=False, help_text="The session's id.")
    auth_time = serializers.IntegerField(required=False, help_text="When a second factor was proved.")
    amr = serializers.ListField(child=serializers.CharField(), required=False)
    acr = serializers.CharField(required=False)
    roles = serializers.ListField(child=serializers.ChoiceField(choices=ROLES), required=False)


class Authenticator(Answer):
    """Something that proves me in the second step."""

    id = serializers.CharField()
    type = serializers.ChoiceField(choices=["totp", "webauthn"])
    name = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class Authenticators(Answer):
    """All of them, and how many recovery codes are left."""

    authenticators = Authenticator(many=True)
    recovery_codes_left = serializers.IntegerField(min_value=0)


class CreationOptions(Answer):
    """What a browser makes a passkey from, once and within five minutes."""

    publicKey = serializers.DictField(  # noqa: N815 its name in WebAuthn
        help_text="PublicKeyCredentialCreationOptionsJSON (WebAuthn Level 3)."
    )


class RequestOptions(Answer):
    """What a browser asks a passkey for, once and within five minutes."""

    publicKey = serializers.DictField(  # noqa: N815 its name in WebAuthn
        help_text="PublicKeyCredentialRequestOptionsJSON (WebAuthn Level 3)."
    )


class TotpBegun(Answer):
    """An authenticator that counts once a code of it was confirmed. The secret is shown this once."""

    id = serializers.CharField()
    secret = serializers.CharField(help_text="Base32, for typing.")
    otpauth_uri = serializers.CharField(help_text="For an authenticator app.")
    qr_svg = serializers.CharField(help_text="The URI as a QR code, an SVG document.")


class RecoveryCodes(Answer):
    """New recovery codes, shown this once; each works once."""

    recovery_codes = serializers.ListField(child=serializers.CharField())


class TotpConfirmed(Answer):
    """A bound authenticator. After a partial token the login is complete and the token pair is here too."""

    recovery_codes = serializers.ListField(
        child=serializers.CharField(), help_text="New ones where the account had none, else empty."
    )
    access = serializers.CharField(required=False)
    refresh = serializers.CharField(required=False)
    token_type = serializers.ChoiceField(choices=["Bearer"], required=False)
    expires_in = serializers.IntegerField(required=False)
    refresh_expires_in = serializers.IntegerField(required=False)
    session_id = serializers.CharField(required=False)
    password_change_required = serializers.BooleanField(
        required=False,
        help_text="true where the password must be changed first; absent else.",
    )


class Me(Answer):
    """Who am I."""

    id = serializers.CharField()
    email = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField(choices=ROLES))
    password_change_required = serializers.BooleanField(
        help_text="Until the password is changed the session opens little else."
    )


class Strength(Answer):
    """How soon a password would be guessed, and what keeps it from being taken."""

    score = serializers.IntegerField(min_value=0, max_value=4, help_text="4: practically not.")
    warning = serializers.CharField(allow_blank=True)
    suggestions = serializers.ListField(child=serializers.CharField())
    faults = serializers.ListField(
        child=Fault(), help_text="As register/ would tell them, but those a range API knows."
    )


class Listing(Answer):
    """A page of results with the addresses of its neighbours."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class Session(Answer):
    """A session of mine."""

    id = serializers.CharField()
    current = serializers.BooleanField(help_text="The one that asks.")
    created_at = serializers.DateTimeField(help_text="The login.")
    last_seen_at = serializers.DateTimeField(help_text="The login or the last refresh.")
    ip = serializers.CharField(allow_blank=True, help_text="Where the login came from.")
    device = serializers.CharField(help_text="What signed in, in words, as it calls itself.")
    user_agent = serializers.CharField(allow_blank=True, help_text="The User-Agent of the login as it came.")


class Sessions(Listing):
    """My live sessions."""

    results = Session(many=True)


class Device(Answer):
    """A known device of mine."""

    id = serializers.CharField()
    device = serializers.CharField(help_text="What it is, in words, as it calls itself.")
    user_agent = serializers.CharField(
        allow_blank=True, help_text="Its User-Agent when it was last remembered, as it came."
    )
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField()


class Devices(Listing):
    """My known devices."""

    results = Device(many=True)


class Account(Answer):
    """An account as admins see it."""

    id = serializers.CharField()
    email = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField(choices=ROLES))
    created_at = serializers.DateTimeField()
    disabled = serializers.BooleanField()


class Accounts(Listing):
    """Accounts, newest first."""

    results = Account(many=True)


class Invitation(Answer):
    """The right to make an account of an address."""

    id = serializers.CharField()
    email = serializers.CharField()
    role = serializers.ChoiceField(choices=["none", *ROLES])
    state = serializers.ChoiceField(choices=["open", "accepted", "revoked", "expired"])
    invited_by = serializers.CharField(allow_blank=True, help_text="An admin's id; empty: a command.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class Invitations(Listing):
    """Invitations, newest first."""

    results = Invitation(many=True)
