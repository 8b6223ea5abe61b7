"""What the examples of the schema are made of."""

import json

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
HASH = "aytgZ8sHUM2mAOmfJHEdm06PvHWrYcmk0sA4uTsQdqM="
PROOF = {
    "event": EVENT,
    "leaf": '{"commitments":{"ip":"/8BZJmKfk6GOMzPFcu++eWq0lAt9sZ1LF0eugyKN2BA="},"details":{"method":"totp"}}',
    "leaf_hash": "QmHkqsRpt2Uf1Z4R9zB7rAiHVYFTSEpW6h2IBCmKyUM=",
    "openings": {"ip": {"salt": "AAECAwQFBgcICQoLDA0ODw==", "value": "192.0.2.17"}},
    "erased": ["user"],
    "index": 5,
    "hashes": [HASH],
    "checkpoint": CHECKPOINT,
}
EXPORTED = json.dumps(EVENT, separators=(",", ":")) + "\n"
EXPORTED_CSV = (
    "id,time,type,outcome,reason,severity,user,subject,session,ip,user_agent,request_id,details\r\n"
    f"{OTHER_ID},{EVENT['time']},login.password,failure,wrong_password,low,{ID},,,192.0.2.17,curl/8.5.0,{ID},{{}}\r\n"
)
EXPORTED_CEF = (
    "CEF:0|Secure Auth|Secure Auth|1|login.password|login.password failure|3|rt=1768469400123 "
    f"externalId={OTHER_ID} outcome=failure reason=wrong_password suid={ID} src=192.0.2.17\n"
)
TLOG_PROOF = f"c2sp.org/tlog-proof@v1\nindex 5\n{HASH}\n\n{CHECKPOINT}"
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
