"""A supervisor of two idle children, for which half a second counts as steady: python -m tests.faults.supervised

What it logs begins with the time, in seconds since 1970. From SIGUSR1 until SIGUSR2 its user is allowed one process.
"""

import logging
import resource
import signal
import sys
from functools import partial

from secure_auth import supervisor
from secure_auth.supervisor import Child, Supervisor


def idle() -> None:
    while True:
        signal.pause()


def allow(processes: tuple[int, int], *_: object) -> None:
    resource.setrlimit(resource.RLIMIT_NPROC, processes)


def main() -> int:
    logging.basicConfig(format="%(created)f %(message)s")
    supervisor.STEADY_SECONDS = 0.5
    children = [Child("auth-one", idle), Child("auth-other", idle)]
    family = Supervisor(children, lambda: True, lambda: print("ready", flush=True), lambda: None)
    family.heed_signals()
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    for number, most in ((signal.SIGUSR1, 1), (signal.SIGUSR2, before[0])):
        signal.signal(number, partial(allow, (most, before[1])))
    return family.run()


if __name__ == "__main__":
    sys.exit(main())
