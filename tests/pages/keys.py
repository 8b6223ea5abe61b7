"""Security keys of the browser: its own virtual authenticators."""

from playwright.sync_api import CDPSession, Page, expect

from tests.pages.doing import GO

OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Key:
    """An authenticator that is plugged into one page."""

    def __init__(self, page: Page) -> None:
        self.tools: CDPSession = page.context.new_cdp_session(page)
        self.tools.send("WebAuthn.enable")
        made = self.tools.send("WebAuthn.addVirtualAuthenticator", {"options": OPTIONS})
        self.id = made["authenticatorId"]

    def held(self) -> list[dict[str, object]]:
        found = self.tools.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return list(found["credentials"])


def bind(page: Page, name: str = "My laptop") -> None:
    page.goto("/passkeys/new/")
    page.fill("#id_name", name)
    page.click(GO)
    expect(page.get_by_role("status")).to_have_text("The passkey is ready.")
