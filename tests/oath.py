"""Somebody else's authenticator: OATH Toolkit's `oathtool`, set up by nothing but an otpauth URI."""

import subprocess
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from tests.authenticator import STEP_SECONDS, Authenticator


@dataclass
class OathTool(Authenticator):
    """What the URI leaves out has its default in the Key Uri Format."""

    algorithm: str = "SHA1"
    digits: str = "6"

    @classmethod
    def scan(cls, uri: str) -> "OathTool":
        named = {name: values[0] for name, values in parse_qs(urlsplit(uri).query).items()}
        assert named.get("period", "30") == str(STEP_SECONDS)
        return cls(named["secret"], algorithm=named.get("algorithm", "SHA1"), digits=named.get("digits", "6"))

    def code_at(self, step: int) -> str:
        command = ["oathtool", f"--totp={self.algorithm.lower()}", "--digits", self.digits, "--base32"]
        moment = f"--now=@{step * STEP_SECONDS}"
        return subprocess.run(
            [*command, moment, "-"], input=self.secret, check=True, capture_output=True, text=True
        ).stdout.strip()
