"""An example, or several by name, of every body and answer in the schema."""

import json
from typing import Any

ID = "01932f4e-7c3a-7d10-9c2f-3b6f0a1d8e55"
OTHER_ID = "01932f51-02bb-7e44-8a70-5d1c9f2b7a13"
WHEN = "2026-01-15T09:30:00.123456Z"
LATER = "2026-01-15T09:41:07.654321Z"
EMAIL = "anna@example.org"
PASSWORD = "a phrase that only Anna knows"  # noqa: S105 an example
NEW_PASSWORD = "another phrase of Anna's"  # noqa: S105 an example
JWT = "eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiIsInR5cCI6IuKApiJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl"
MAILED = "Zb3rJ0xq5t8mC1uN7vYkQe2hLw9aTsDf"
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
DEVICE = "Firefox 143 on Windows"
CODES = ["ABCD-EFGH-IJKL-MNOP-QRST-UVWX", "23AB-45CD-67EF-GHIJ-KLMN-OPQR"]
SHEET = "Recovery codes of anna@example.org at Secure Auth (https://auth.example.com)\n\n" + "".join(
    f"{number:4}.  {code}\n" for number, code in enumerate(CODES, 1)
)
PAIR = {
    "access": JWT,
    "refresh": JWT,
    "token_type": "Bearer",
    "expires_in": 300,
    "refresh_expires_in": 3600,
    "session_id": ID,
}
INTROSPECTION = {
    "active": True,
    "token_type": "Bearer",
    "iss": "https://auth.example.com",
    "aud": "https://auth.example.com",
    "sub": ID,
    "jti": "9f0b6a1b53f04ac1a2bb5ad1b8f4cb3e",
    "iat": 1768469400,
    "exp": 1768469700,
    "client_id": "secure-auth",
    "sid": OTHER_ID,
    "auth_time": 1768469400,
    "amr": ["pwd", "otp", "mfa"],
    "acr": "aal2",
    "roles": ["auditor"],
}
EVENT = {
    "id": OTHER_ID,
    "time": "2026-01-15T09:30:00.123Z",
    "type": "login.second_factor",
    "outcome": "success",
    "reason": "",
    "severity": "info",
    "user": ID,
    "subject": "",
    "session": "",
    "source": {"ip": "192.0.2.17", "user_agent": AGENT, "request_id": ID},
    "details": {"method": "totp"},
}
CHECKPOINT = (
    "auth.example.com/api/v1/audit/log\n8\nUvHNx1mXDBIJl8ePPB6oB3cW9cvDYDqjPMGGgyIHK2M=\n\n"
    "\u2014 auth.example.com/api/v1/audit/log vZ1sJH0kV0ZyUuUnT9bAKbkRk0TdRvGq4Tj8e4YQpD9y\n"
)
VERIFIER_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n"
PROOF = {
    "event": EVENT,
    "leaf": '{"commitments":{"ip":"/8BZJmKfk6GOMzPFcu++eWq0lAt9sZ1LF0eugyKN2BA="},"details":{"method":"totp"}}',
    "leaf_hash": "QmHkqsRpt2Uf1Z4R9zB7rAiHVYFTSEpW6h2IBCmKyUM=",
    "openings": {"ip": {"salt": "AAECAwQFBgcICQoLDA0ODw==", "value": "192.0.2.17"}},
    "erased": ["user"],
    "index": 5,
    "hashes": ["aytgZ8sHUM2mAOmfJHEdm06PvHWrYcmk0sA4uTsQdqM="],
    "checkpoint": CHECKPOINT,
}
EXPORTED = json.dumps(EVENT, separators=(",", ":")) + "\n"
DETECTION = {
    "id": "5be7a1d0-93c4-8f02-8a6e-0d4c1b7e9f35",
    "rule": "brute_force",
    "severity": "medium",
    "title": "Password guessing at one account",
    "why": "11 wrong passwords or refused attempts at one account within an hour, from 2 sources.",
    "count": 11,
    "figures": {"guesses": 11, "sources": 2},
    "first_event_at": "2026-01-15T09:30:00.123Z",
    "last_event_at": "2026-01-15T09:41:07.654Z",
    "raised_at": "2026-01-15T09:41:08.020Z",
    "events": [ID, OTHER_ID],
    "about": {
        "kind": "account",
        "users": [ID],
        "subjects": [],
        "ips": ["192.0.2.17", "198.51.100.4"],
        "sessions": [],
    },
    "told": True,
    "state": "open",
    "acknowledged": None,
}
ACKNOWLEDGED = {
    "at": "2026-01-15T10:02:11.000Z",
    "by": OTHER_ID,
    "note": "A forgotten password.",
    "count": 11,
}
INVITATION = {
    "id": OTHER_ID,
    "email": EMAIL,
    "role": "auditor",
    "state": "open",
    "invited_by": ID,
    "created_at": WHEN,
    "expires_at": "2026-01-18T09:30:00.123456Z",
}
CREDENTIAL_ID = "-R8xPbTJsv3g6nAYnLo_tj9Xm6YSKzOtlP8-wzAIS-Q"
CHALLENGE = "OcDnUhQXulTUPo3JUXT0I97pvzzYBP9tZchXyav01Ag"
RP_ID_HASH = "SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2M"
PASSKEY = {"id": OTHER_ID, "type": "webauthn", "name": "Laptop", "created_at": WHEN, "last_used_at": LATER}
CREATION = {
    "rp": {"id": "auth.example.com", "name": "Secure Auth"},
    "user": {"id": RP_ID_HASH, "name": EMAIL, "displayName": EMAIL},
    "challenge": CHALLENGE,
    "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
    "timeout": 300000,
    "excludeCredentials": [],
    "authenticatorSelection": {"residentKey": "preferred", "userVerification": "preferred"},
    "attestation": "none",
}
REQUEST = {
    "rpId": "auth.example.com",
    "challenge": CHALLENGE,
    "timeout": 300000,
    "allowCredentials": [{"id": CREDENTIAL_ID, "type": "public-key", "transports": ["internal"]}],
    "userVerification": "preferred",
}
SHOWN = {
    "id": CREDENTIAL_ID,
    "rawId": CREDENTIAL_ID,
    "type": "public-key",
    "response": {
        "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0",
        "authenticatorData": f"{RP_ID_HASH}FAAAAAA",
        "signature": "MEUCIQCxNjgb5Vw",
    },
}
MADE = {
    "id": CREDENTIAL_ID,
    "rawId": CREDENTIAL_ID,
    "type": "public-key",
    "response": {
        "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0",
        "attestationObject": "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YVg",
        "transports": ["internal"],
    },
}
NO_MORE = {"next": None, "previous": None}

# By the name of the component; the names of the examples are what tells them apart.
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
    "Detection": {
        "open": DETECTION,
        "acknowledged": {**DETECTION, "state": "acknowledged", "acknowledged": ACKNOWLEDGED},
    },
    "Detections": {"one": {"results": [DETECTION], **NO_MORE}},
}
