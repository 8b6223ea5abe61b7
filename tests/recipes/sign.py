"""Signs claims with the service's own key: tokens of which only one thing is wrong.

Run in the service's environment. Reads a JSON list of [header, claims] and writes the list of tokens.
"""

import json
import os
import sys

import django
import jwt

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "secure_auth.settings")
    django.setup()
    from secure_auth import keys
    from secure_auth.models import Key

    key = keys.ring(Key.Purpose.SIGNING).active
    asked = json.load(sys.stdin)
    signed = [
        jwt.encode(claims, key.private, key.algorithm, headers={"kid": key.kid, **header})
        for header, claims in asked
    ]
    sys.stdout.write(json.dumps(signed))
