"""`manage.py` whose background worker has one second to end, not twelve: python -m tests.faults.hastened COMMAND…"""

import os
import sys


def main() -> None:
    import django
    from django.core.management import execute_from_command_line

    os.environ["DJANGO_SETTINGS_MODULE"] = "secure_auth.settings"
    django.setup()
    from secure_auth import worker

    worker.END_SECONDS = 1
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
