"""The WSGI entry point, for any server: `secure_auth.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "secure_auth.settings")

application = get_wsgi_application()
