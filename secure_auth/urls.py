"""The map of the service: every address and the view behind it."""

from django.urls import URLPattern, URLResolver, include, path, register_converter

from audit.merkle import TILE
from secure_auth.administration import ACTIONS
from secure_auth.api import (
    accounts,
    administration,
    audit,
    detections,
    docs,
    log,
    login,
    mfa,
    oauth,
    passkeys,
    sessions,
)
from secure_auth.web import account, joining, mailed, pages, passwords, probes, security, signing_in
from secure_auth.web import passkeys as passkey_pages
from secure_auth.web.console import detections as console_detections
from secure_auth.web.console import event as console_event
from secure_auth.web.console import events as console_events
from secure_auth.web.console import integrity as console_integrity
from secure_auth.web.console import overview as console_overview
from secure_auth.web.console import people as console_people


class IdConverter:
    """The ids of this service: a UUID in its canonical form. Anything else is an unknown address."""

    regex = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

    def to_python(self, value: str) -> str:
        """As it stands."""
        return value

    def to_url(self, value: str) -> str:
        """As it stands."""
        return value


class TileConverter:
    """A tile as C2SP tlog-tiles names it: its index in groups of three digits, and its width where it is partial."""

    regex = r"(?:x[0-9]{3}/){0,4}[0-9]{3}(?:\.p/[1-9][0-9]{0,2})?"

    def to_python(self, value: str) -> tuple[int, int]:
        """Index and width.

        Raises:
            ValueError: another way to write a tile's name.
        """
        place, _, width = value.partition(".p/")
        if place.startswith("x000/") or int(width or 1) >= TILE:
            raise ValueError("not the name of a tile")
        return int(place.replace("x", "").replace("/", "")), int(width or TILE)

    def to_url(self, value: tuple[int, int]) -> str:
        """The only name of a tile."""
        digits = f"{value[0]:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        return name if value[1] == TILE else f"{name}.p/{value[1]}"


class LevelConverter:
    """The level of a tile, 0 to 63."""

    regex = "(?:[0-9]|[1-5][0-9]|6[0-3])"  # a group, since the schema puts anchors around it

    def to_python(self, value: str) -> int:
        """As a number."""
        return int(value)

    def to_url(self, value: int) -> str:
        """As text."""
        return str(value)


class LogConverter(LevelConverter):
    """The number of a log: what every database can hold."""

    regex = "[1-9][0-9]{0,8}"


class ActionConverter(IdConverter):
    """What an admin may do to an account. Anything else is an unknown address."""

    regex = f"(?:{'|'.join(ACTIONS)})"


register_converter(IdConverter, "id")
register_converter(ActionConverter, "action")
register_converter(LogConverter, "log")
register_converter(TileConverter, "tile")
register_converter(LevelConverter, "level")

tree: list[URLPattern | URLResolver] = [
    path("checkpoint", log.CheckpointView.as_view()),
    path("vkey", log.VerifierKeyView.as_view()),
    path("vkeys", log.VerifierKeysView.as_view()),
    path("tile/entries/<tile:tile>", log.BundleView.as_view()),
    path("tile/<level:level>/<tile:tile>", log.TileView.as_view()),
]

api: list[URLPattern | URLResolver] = [
    # What is asked most comes first: addresses are tried in this order.
    path("me/", accounts.MeView.as_view()),
    path("token/refresh/", sessions.RefreshView.as_view()),
    path("register/", accounts.RegisterView.as_view()),
    path("register/confirm/", accounts.ConfirmView.as_view()),
    path("login/", login.LoginView.as_view()),
    path("login/verify/", login.VerifyView.as_view()),
    path("login/webauthn/options/", passkeys.LoginOptionsView.as_view()),
    path("reauthenticate/", login.ReauthenticateView.as_view()),
    path("reauthenticate/webauthn/options/", passkeys.ReauthenticationOptionsView.as_view()),
    path("mfa/", mfa.AuthenticatorsView.as_view()),
    path("mfa/totp/", mfa.BeginTotpView.as_view()),
    path("mfa/totp/<id:authenticator_id>/confirm/", mfa.ConfirmTotpView.as_view()),
    path("mfa/webauthn/options/", passkeys.CreationOptionsView.as_view()),
    path("mfa/webauthn/", passkeys.BindView.as_view()),
    path("mfa/recovery-codes/", mfa.RecoveryCodesView.as_view()),
    path("mfa/reset/cancel/", accounts.CancelResetView.as_view()),
    path("mfa/<id:authenticator_id>/", mfa.AuthenticatorView.as_view()),
    path("token/introspect/", oauth.IntrospectView.as_view()),
    path("token/revoke/", oauth.RevokeView.as_view()),
    path("token/verify/", sessions.VerifyTokenView.as_view()),
    path("logout/", sessions.LogoutView.as_view()),
    path("sessions/", sessions.SessionsView.as_view()),
    path("sessions/<id:session_id>/", sessions.SessionView.as_view()),
    path("devices/", sessions.DevicesView.as_view()),
    path("devices/<id:device_id>/", sessions.DeviceView.as_view()),
    path("me/export/", accounts.MyDataView.as_view()),
    path("me/activity/", audit.ActivityView.as_view(), name="activity"),
    path("password/strength/", accounts.StrengthView.as_view()),
    path("password/change/", accounts.ChangePasswordView.as_view()),
    path("password/reset/", accounts.ResetView.as_view()),
    path("password/reset/confirm/", accounts.ConfirmResetView.as_view()),
    path("email/change/", accounts.ChangeAddressView.as_view()),
    path("email/change/confirm/", accounts.ConfirmAddressView.as_view()),
    path("audit/events/", audit.EventsView.as_view(), name="events"),
    path("audit/events/<id:event_id>/", audit.EventView.as_view()),
    path("audit/events/<id:event_id>/proof/", log.ProofView.as_view()),
    path("audit/log/", include(tree)),
    path("audit/log/<log:number>/", include(tree)),  # logs that ended
    path("audit/export/", audit.ExportView.as_view()),
    path("audit/summary/", audit.SummaryView.as_view()),
    path("audit/detections/", detections.DetectionsView.as_view(), name="detections"),
    path("audit/detections/<id:detection_id>/", detections.DetectionView.as_view()),
    path("audit/detections/<id:detection_id>/acknowledge/", detections.AcknowledgeView.as_view()),
    path("admin/users/", administration.UsersView.as_view()),
    path("admin/invitations/", administration.InvitationsView.as_view(), name="invitations"),
    path("admin/invitations/<id:invitation_id>/", administration.InvitationView.as_view()),
    path("admin/users/<id:user_id>/<action:action>/", administration.ActionView.as_view()),
]

console: list[URLPattern | URLResolver] = [
    path("", console_overview.overview),
    path("events/", console_events.events),
    path("events/export/", console_events.export),
    path("events/tail/", console_events.start_tail),
    path("events/tail/<id:tail_id>/", console_events.poll_tail),
    path("events/tail/<id:tail_id>/stop/", console_events.stop_tail),
    path("events/<id:event_id>/", console_event.event),
    path("events/<id:event_id>/proof/", console_event.proof),
    path("detections/", console_detections.listed),
    path("detections/<id:detection_id>/", console_detections.shown),
    path("detections/<id:detection_id>/acknowledge/", console_detections.acknowledge),
    path("people/", console_people.listed),
    path("people/<id:user_id>/", console_people.shown),
    path("people/<id:user_id>/<action:action>/", console_people.act),
    path("integrity/", console_integrity.shown),
    path("integrity/verify/", console_integrity.verify),
    path("integrity/progress/", console_integrity.progress),
]

# The pages for people
people: list[URLPattern | URLResolver] = [
    path("", signing_in.home),
    path("sign-in/", signing_in.sign_in),
    path("sign-in/code/", signing_in.second_step),
    path("sign-out/", signing_in.sign_out),
    path("sign-in/passkey/", passkey_pages.login_options),
    path("reauthenticate/", signing_in.reauthenticate),
    path("reauthenticate/highest/", signing_in.reauthenticate, {"is_highest": True}),
    path("reauthenticate/passkey/", passkey_pages.reauthentication_options),
    path("passkeys/new/", passkey_pages.bind),
    path("passkeys/options/", passkey_pages.creation_options),
    path("language/", signing_in.choose_language),
    path("sign-up/", joining.sign_up),
    path("sign-up/sent/", joining.sign_up_sent),
    path("confirm/", joining.confirm),
    path("enrol/", joining.begin),
    path("enrol/app/", joining.scan),
    path("recovery-codes/", joining.show_codes),
    path("recovery-codes/new/", joining.new_codes),
    path("forgot/", passwords.forgot),
    path("forgot/sent/", passwords.forgot_sent),
    path("reset/", passwords.reset),
    path("invited/", mailed.join),
    path("address/", mailed.confirm_address),
    path("cancel-reset/", mailed.cancel_reset),
    path("password/", passwords.change),
    path("address/change/", account.change_address),
    path("account/data/", account.download_data),
    path("account/delete/", account.delete),
    path("activity/", security.show_activity),
    path("authenticators/<id:authenticator_id>/rename/", security.rename_authenticator),
    path("authenticators/<id:authenticator_id>/remove/", security.remove_authenticator),
    path("sessions/<id:session_id>/end/", security.end_session),
    path("sessions/end-others/", security.end_others),
    path("devices/<id:device_id>/forget/", security.forget_device),
    path("problems/", pages.problems),
    path("problems/<slug:code>/", pages.problem),
]

urlpatterns = [
    path("api/v1/", include(api)),
    path("", include(people)),
    path("console/", include(console)),
    path("api/schema/", docs.schema, name="schema"),
    path("api/docs/", docs.docs, name="docs"),
    path(".well-known/jwks.json", pages.jwks),
    path(".well-known/change-password", pages.change_password),
    path(".well-known/webauthn", pages.related_origins),
    path(".well-known/security.txt", pages.security_txt),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
]

handler400 = "secure_auth.web.pages.bad_request"
handler403 = "secure_auth.web.pages.forbidden"
handler404 = "secure_auth.web.pages.not_found"
handler500 = "secure_auth.web.pages.server_error"
