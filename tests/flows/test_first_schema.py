"""The schema is made once a process, however many ask a new one for it at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.server import TLS, running_server

AT_ONCE = 16


def test_who_ask_for_the_first_schema_together_are_all_answered(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, worker=False, environment={"SERVER_WORKERS": "1"}) as server:

        def ask(number: int) -> tuple[int, bytes]:
            where = f"{server.url}/api/schema/?format={'json' if number % 2 else 'yaml'}"
            headers = {"Host": server.origin.partition("://")[2]}
            answer = httpx.get(where, headers=headers, timeout=60, trust_env=False, verify=TLS)
            return answer.status_code, answer.content

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(ask, range(AT_ONCE)))
    assert {status for status, _ in answers} == {200}
    assert len(set(answers)) == 2
