"""The WSGI entry point, for any server: `secure_auth.wsgi:application`."""

import os

from secure_auth.handler import make_application
from secure_auth.logging_config import write_to_standard_output

os.umask(0o077)  # of what this process writes nobody else reads anything
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "secure_auth.settings")

write_to_standard_output()
application = make_application()
