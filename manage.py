#!/usr/bin/env python
"""The door for operators: `manage.py help` lists every command. A wrong setting is one line, no traceback.

What any of our processes writes, the database and its lock files included, is for its own user only.
"""

import gc
import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "secure_auth.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)  # 1 is a verdict
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # what is left dies with the process: to take it apart took a quarter of a second
