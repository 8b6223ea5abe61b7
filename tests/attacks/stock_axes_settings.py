"""The service's settings with axes' stock handler in place of ours: what the lockout is worth without it."""

from secure_auth.settings import *  # noqa: F403

AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
