"""An example, or several by name, of every body and answer in the schema."""

from typing import Any

from secure_auth.api.example_values import (
    ACKNOWLEDGED,
    AGENT,
    CODES,
    CREATION,
    DETECTION,
    DEVICE,
    EMAIL,
    EVENT,
    ID,
    INTROSPECTION,
    INVITATION,
    JWT,
    LATER,
    MADE,
    MAILED,
    NEW_PASSWORD,
    NO_MORE,
    PAIR,
    PASSKEY,
    PASSWORD,
    PROOF,
    REQUEST,
    SHOWN,
    WHEN,
)

EXAMPLES: dict[str, dict[str, Any]] = {
    "RegisterBody": {
        "new account": {"email": EMAIL, "password": PASSWORD},
        "with an invitation": {"invitation": MAILED, "password": PASSWORD},
    },
    "ConfirmBody": {"mailed token": {"token": MAILED, "password": PASSWORD}},
    "LoginBody": {"first step": {"email": EMAIL, "password": PASSWORD}},
    "VerifyBody": {
        "authenticator app": {"method": "totp", "code": "492039"},
        "passkey": {"method": "webauthn", "credential": SHOWN},
        "recovery code": {"method": "recovery_code", "code": CODES[0]},
        "remember this device": {"method": "totp", "code": "492039", "remember_device": True},
    },
    "ReauthenticateBody": {
        "second factor": {"method": "totp", "code": "492039"},
        "both factors": {"method": "totp", "code": "492039", "password": PASSWORD},
        "passkey": {"method": "webauthn", "credential": SHOWN},
    },
    "BeginBody": {
        "authenticator app": {"name": "Phone"},
        "with the mailed token": {"name": "Phone", "token": MAILED},
    },
    "CodeBody": {"first code": {"code": "492039"}},
    "NameBody": {"name": {"name": "Old phone"}},
    "BindBody": {"passkey": {"credential": MADE, "name": "Laptop"}},
    "CreationOptions": {"options": {"publicKey": CREATION}},
    "RequestOptions": {"options": {"publicKey": REQUEST}},
    "Authenticator": {"passkey": PASSKEY},
    "Body": {"nothing": {}},
    "RefreshBody": {"refresh": {"refresh": JWT}},
    "TokenBody": {"access token": {"token": JWT}},
    "OAuthBody": {"refresh token": {"token": JWT, "token_type_hint": "refresh_token"}},
    "IntrospectBody": {"access token": {"token": JWT}},
    "Introspection": {"live": INTROSPECTION, "dead": {"active": False}},
    "ChangePasswordBody": {"both": {"current_password": PASSWORD, "new_password": NEW_PASSWORD}},
    "StrengthBody": {"a word": {"password": "Sommer2026", "email": EMAIL}},
    "Strength": {
        "weak": {
            "score": 1,
            "warning": "This is similar to a commonly used password.",
            "suggestions": ["Add another word or two. Uncommon words are better."],
            "faults": [
                {"code": "too_common", "detail": "This password is among those that attackers try first."}
            ],
        }
    },
    "ResetBody": {"forgotten": {"email": EMAIL}},
    "ConfirmResetBody": {"mailed token": {"token": MAILED, "new_password": NEW_PASSWORD}},
    "ReasonBody": {"reason": {"reason": "Phone lost, identity checked by telephone"}},
    "InvitationBody": {"auditor": {"email": EMAIL, "role": "auditor", "reason": "Joins the security team"}},
    "Invitation": {"open": INVITATION},
    "Invitations": {"one": {"results": [INVITATION], **NO_MORE}},
    "ChangeAddressBody": {"new": {"current_password": PASSWORD, "new_email": "anna@example.net"}},
    "MailedTokenBody": {"mailed token": {"token": MAILED}},
    "AddressConfirmed": {"first": {"status": "waiting"}, "both": {"status": "changed"}},
    "Accepted": {"accepted": {"status": "accepted"}},
    "LoginAnswer": {
        "second step": {
            "partial_token": JWT,
            "expires_in": 300,
            "next": "verify",
            "methods": ["totp", "webauthn", "recovery_code"],
        },
        "first login": {"partial_token": JWT, "expires_in": 300, "next": "enroll", "methods": []},
    },
    "TokenPair": {"pair": PAIR},
    "SessionOpened": {
        "pair": PAIR,
        "remembered": {**PAIR, "device_token": MAILED},
        "recovery code": {**PAIR, "recovery_codes_left": 3},
        "password must be changed": {**PAIR, "password_change_required": True},
    },
    "FreshAccess": {"fresh": {"access": JWT, "token_type": "Bearer", "expires_in": 300}},
    "Authenticators": {
        "two": {
            "authenticators": [
                {"id": ID, "type": "totp", "name": "Phone", "created_at": WHEN, "last_used_at": LATER},
                PASSKEY,
            ],
            "recovery_codes_left": 9,
        }
    },
    "TotpBegun": {
        "begun": {
            "id": ID,
            "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
            "otpauth_uri": "otpauth://totp/Secure%20Auth:anna%40example.org?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
            "&issuer=Secure%20Auth",
            "qr_svg": "<svg xmlns='http://www.w3.org/2000/svg'></svg>",
        }
    },
    "TotpConfirmed": {
        "first login": {"recovery_codes": CODES, **PAIR},
        "further authenticator": {"recovery_codes": []},
    },
    "RecoveryCodes": {"new": {"recovery_codes": CODES}},
    "DeleteBody": {"for good": {"current_password": PASSWORD}},
    "PersonalData": {
        "one": {
            "exported_at": LATER,
            "account": {
                "id": ID,
                "email": EMAIL,
                "roles": [],
                "created_at": WHEN,
                "mailbox_proved_at": WHEN,
            },
            "authenticators": [],
            "recovery_codes_left": 9,
            "sessions": [],
            "devices": [],
            "events": [EVENT],
            "events_complete": True,
        }
    },
    "Me": {"auditor": {"id": ID, "email": EMAIL, "roles": ["auditor"], "password_change_required": False}},
    "Sessions": {
        "one": {
            "results": [
                {
                    "id": ID,
                    "current": True,
                    "created_at": WHEN,
                    "last_seen_at": LATER,
                    "ip": "192.0.2.17",
                    "device": DEVICE,
                    "user_agent": AGENT,
                }
            ],
            **NO_MORE,
        }
    },
    "Devices": {
        "one": {
            "results": [
                {
                    "id": ID,
                    "device": DEVICE,
                    "user_agent": AGENT,
                    "created_at": WHEN,
                    "last_used_at": None,
                    "expires_at": "2026-04-15T09:30:00.123456Z",
                }
            ],
            **NO_MORE,
        }
    },
    "Accounts": {
        "one": {
            "results": [
                {"id": ID, "email": EMAIL, "roles": [], "created_at": WHEN, "disabled": False},
            ],
            **NO_MORE,
        }
    },
    "Event": {"second step": EVENT},
    "Summary": {
        "an hour": {
            "results": [
                {
                    "start": "2026-01-15T09:00:00.000Z",
                    "events": 7,
                    "counts": [
                        {"type": "login.password", "outcome": "failure", "severity": "low", "events": 7}
                    ],
                }
            ],
            **NO_MORE,
            "bucket": "hour",
            "since": "2026-01-15T09:00:00.000Z",
            "until": "2026-01-15T10:00:00.000Z",
            "totals": {
                "events": 7,
                "type": {"login.password": 7},
                "outcome": {"failure": 7},
                "severity": {"low": 7},
            },
            "failures": {
                "looked_at": 7,
                "sources": [{"ip": "192.0.2.17", "events": 7}],
                "users": [{"user": ID, "events": 5}],
            },
            "reach": {"log": 1, "counted": 12345, "entries": 12345},
        }
    },
    "Proof": {"of one event": PROOF},
    "Events": {
        "one": {
            "results": [EVENT],
            "next": "https://auth.example.com/api/v1/audit/events/?cursor=PDAxOTMyZjUx",
            "previous": None,
        }
    },
    "NoteBody": {"note": {"note": "A forgotten password."}},
    "NotedDetection": {
        "open": {**DETECTION, "notes": []},
        "acknowledged": {
            **DETECTION,
            "state": "acknowledged",
            "acknowledged": ACKNOWLEDGED,
            "notes": [
                {**ACKNOWLEDGED, "at": "2026-01-15T09:58:40.000Z", "note": "I look into it."},
                ACKNOWLEDGED,
            ],
        },
    },
    "Detections": {"one": {"results": [DETECTION], **NO_MORE}},
}
