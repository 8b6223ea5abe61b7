"""The WSGI entry point, for any server: `secure_auth.wsgi:application`."""

import atexit
import os

from secure_auth import lines
from secure_auth.handler import make_application

os.umask(0o077)  # of what this process writes nobody else reads anything
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "secure_auth.settings")

lines.write_to_standard_output(by_thread=True)
atexit.register(lines.finish)  # a server that is stopped has answered requests whose lines still wait
application = make_application()
