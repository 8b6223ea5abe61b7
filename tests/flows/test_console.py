"""Who gets into the console, for how long, and what it tells the log. Without a browser."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlencode

import pytest

from tests.client import Client, Person, expect
from tests.redis_processes import wait_until
from tests.server import Server
from tests.watcher import LONG_AGO, LookIn, age, events_of, views_of

FAR_AHEAD = "2099-01-01 00:00:00+00:00"
READING = ("", "events/", "detections/", "integrity/")


@pytest.fixture
def auditor(client: Client) -> Person:
    return client.create_person(role="auditor")


@pytest.fixture
def admin(client: Client) -> Person:
    return client.create_person(role="admin")


def test_an_auditor_reads_every_page_and_each_look_is_told(
    server: Server, client: Client, auditor: Person, look_in: LookIn
) -> None:
    watcher = look_in(auditor)
    for path in READING:
        answer = watcher.get(f"/console/{path}")
        assert answer.status_code == 200, path
        assert "no-store" in answer.headers["Cache-Control"]
    event = expect(client.get("audit/events/?limit=1&order=index", auditor.access), 200)["results"][0]["id"]
    assert watcher.get(f"/console/events/{event}/").status_code == 200
    assert watcher.get(f"/console/events/{event}/proof/").json()["index"] == 0
    assert watcher.get(f"/console/events/{event}/proof/?form=text").text.startswith(
        "c2sp.org/tlog-proof@v1\n"
    )
    export = watcher.get("/console/events/export/?format=csv&limit=3")
    assert len(export.text.splitlines()) == 4
    wanted = {"events", "event", "proof", "summary", "export", "detections", "log"}
    assert views_of(server, watcher.session) == wanted


def test_details_are_shown_as_json_has_them(server: Server, auditor: Person, look_in: LookIn) -> None:
    watcher = look_in(auditor)
    opened = "SELECT id FROM audit_event WHERE type = 'session.open' AND session = %s"
    ((event,),) = server.rows(opened, [watcher.session])
    page = watcher.get(f"/console/events/{event}/").text
    assert re.findall(r'data-detail="amr"[^>]*>([^<]*)', page) == ["pwd, recovery, mfa"]
    assert re.findall(r'data-detail="new_device"[^>]*>([^<]*)', page) == ["true"]


def test_who_acted_and_what_was_looked_at_is_a_click_away(
    server: Server, client: Client, admin: Person, look_in: LookIn
) -> None:
    watcher, user = look_in(admin), str(expect(client.me(client.create_person().access), 200)["id"])
    watcher.get(f"/console/people/{user}/")
    watcher.post(f"/console/people/{user}/unlock/", reason="a test")
    acted = "SELECT id FROM audit_event WHERE type = 'account.unlock' AND session = %s"
    ((event,),) = server.rows(acted, [watcher.session])
    actor = expect(client.me(admin.access), 200)["id"]
    leads = f'<a href="/console/events/?user={actor}">{actor}</a>'
    assert leads in watcher.get(f"/console/events/{event}/").text
    assert watcher.get(f"/console/events/?user={actor}").status_code == 200
    looked = "SELECT id FROM audit_event WHERE type = 'audit.read' AND session = %s AND CAST(details AS text) LIKE %s"
    ((look,),) = server.rows(looked, [watcher.session, f"%{event}%"])
    assert f'<a href="/console/events/{event}/">{event}</a>' in watcher.get(f"/console/events/{look}/").text


def test_equal_looks_are_one_event(server: Server, auditor: Person, look_in: LookIn) -> None:
    watcher = look_in(auditor)
    for _ in range(3):
        watcher.get("/console/events/?outcome=failure")
    read = [one for one in events_of(server, watcher.session) if one[0] == "audit.read"]
    assert len(read) == 2  # the list and the chart's counts


def test_who_causes_failures_leads_to_the_failures_that_were_counted(
    client: Client, auditor: Person, look_in: LookIn
) -> None:
    client.login(Person(auditor.email, "a wrong passphrase"))
    watcher = look_in(auditor)
    links: list[str] = []

    def is_counted() -> bool:
        page = watcher.get("/console/?span=hour").text
        links[:] = re.findall(r'href="(/console/events/[?](?:ip|user)=[^"]+)"', page)
        return len(links) > 1

    wait_until(is_counted)
    assert [link for link in links if "since=" not in link] == []
    assert watcher.get(links[0].replace("&amp;", "&")).status_code == 200


def test_a_wrong_filter_is_named_on_the_page(auditor: Person, look_in: LookIn) -> None:
    answer = look_in(auditor).get("/console/events/?ip=nowhere")
    assert answer.status_code == 400
    assert "<code>ip</code>" in answer.text
    assert re.findall(r'<input id="(\w+)"[^>]* aria-invalid="true"[^>]* autofocus', answer.text) == ["ip"]
    answer = look_in(auditor).get("/console/events/?until=tomorrow")
    assert "<code>until</code>: A time in UTC is wanted, like 2026-01-31T09:00, or a date." in answer.text


def test_a_wrong_filter_is_named_in_the_language_of_the_page(auditor: Person, look_in: LookIn) -> None:
    watcher = look_in(auditor)
    watcher.http.headers["Accept-Language"] = "de"
    assert watcher.get("/console/events/?since=gestern").status_code == 400
    assert "since : Gebraucht wird eine Zeit in UTC wie 2026-01-31T09:00 oder ein Datum." in watcher.page.text
    assert "RFC 3339" not in watcher.page.text


def test_a_question_too_long_to_be_kept_leads_back_to_its_page(
    server: Server, auditor: Person, look_in: LookIn
) -> None:
    watcher = look_in(auditor)
    assert watcher.get("/console/events/").status_code == 200
    age(server, watcher.session)
    page = watcher.open("/console/events/?" + urlencode({"q": "\N{GRINNING FACE}" * 150}))
    assert page.path == "/reauthenticate/"
    watcher.open(f"{page.path}?{urlencode({'next': page.query['next'][0], 'with': 'recovery_code'})}")
    assert watcher.fill(code=auditor.recovery_codes.pop()).path == "/console/events/"


def test_a_click_on_a_value_or_bar_leads_to_a_plain_address(auditor: Person, look_in: LookIn) -> None:
    watcher = look_in(auditor)
    begin, end = "2026-01-15T09:00Z", "2026-01-15T09:59:59.999Z"
    for sent, wanted in (
        ("q=old&ip=10.0.0.1&q=new", "q=new&ip=10.0.0.1"),
        (
            f"type=token.reuse&since=2026-01-01&span={begin}/{end}",
            f"type=token.reuse&since={begin}&until={end}",
        ),
    ):
        answer = watcher.get(f"/console/events/?{sent}")
        assert answer.status_code == 303
        assert unquote(answer.headers["Location"]) == f"/console/events/?{wanted}"


def test_a_chart_tells_what_it_counts(auditor: Person, look_in: LookIn) -> None:
    watcher = look_in(auditor)
    watcher.open("/console/events/?since=2026-01-15T09:20&until=2026-01-15T16:10")
    assert "Counted from 2026-01-15T09:00 to 2026-01-15T17:00 (UTC)." in watcher.page.text


def test_fields_that_were_left_empty_are_no_part_of_an_address(admin: Person, look_in: LookIn) -> None:
    watcher = look_in(admin)
    for sent, wanted in (
        ("events/?q=&type=token.reuse&outcome=&since=", "events/?type=token.reuse"),
        ("events/?type=token.reuse&type=", "events/"),
        ("detections/?rule=&state=open", "detections/?state=open"),
        ("people/?q=", "people/"),
    ):
        answer = watcher.get(f"/console/{sent}")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/console/{wanted}")


def test_what_the_console_asks_a_second_factor_for_is_no_change(
    server: Server, auditor: Person, look_in: LookIn
) -> None:
    watcher = look_in(auditor)
    age(server, watcher.session)
    asked = watcher.get(watcher.get("/console/").headers["Location"]).text
    assert "The console wants a second factor" in asked
    assert "What comes next changes" not in asked
    assert "What comes next changes" in watcher.get("/reauthenticate/?next=/password/").text


def test_an_end_before_its_beginning_is_named_and_no_other_span_is_drawn(
    auditor: Person, look_in: LookIn
) -> None:
    watcher = look_in(auditor)
    answer = watcher.get("/console/events/?since=2026-01-31T09:00&until=2026-01-30")
    assert answer.status_code == 400
    assert "<code>since</code>: This is later than the end" in answer.text
    assert "data-bars" not in answer.text
    assert watcher.get("/console/events/?since=2026-01-31&until=2026-01-31").status_code == 200


def test_an_account_is_found_by_its_id_in_either_case(client: Client, admin: Person, look_in: LookIn) -> None:
    user, watcher = expect(client.me(admin.access), 200)["id"], look_in(admin)
    for wanted in (user, user.upper()):
        assert f"/console/people/{user}/" in watcher.get(f"/console/people/?q={wanted}").text


def test_the_people_list_leads_back_to_its_beginning(admin: Person, look_in: LookIn) -> None:
    watcher, newest = look_in(admin), 'href="/console/people/?q=person"'
    assert newest not in watcher.get("/console/people/?q=person").text
    cursor = "ffffffff-ffff-7fff-bfff-ffffffffffff"
    assert newest in watcher.get(f"/console/people/?q=person&cursor={cursor}").text


@pytest.mark.parametrize(
    "span",
    [
        "until=0001-01-01T00:00", "until=0001-01-01T00:00:00%2B14:00", "until=9999-12-31T23:59:59Z",
        "until=9999-12-31", "since=9999-12-31T23:00&until=9999-12-31T23:59",
        "since=9998-01-01T00:00&until=9999-12-31T23:59",
    ],
)  # fmt: skip
def test_a_span_at_the_edge_of_time_is_refused_on_the_page(
    auditor: Person, look_in: LookIn, span: str
) -> None:
    answer = look_in(auditor).get(f"/console/events/?{span}")
    assert answer.status_code == 400
    assert 'class="faults"' in answer.text


def test_admins_act_with_a_reason(server: Server, client: Client, admin: Person, look_in: LookIn) -> None:
    target, watcher = client.create_person(), look_in(admin)
    user = expect(client.me(target.access), 200)["id"]
    assert watcher.get(f"/console/people/?q={target.email[:12]}").status_code == 200
    assert user in watcher.page.response.text
    assert watcher.get(f"/console/people/{user}/").status_code == 200
    assert watcher.post(f"/console/people/{user}/disable/").status_code == 400  # without a reason
    for action, kind in (
        ("disable", "account.disable"),
        ("enable", "account.enable"),
        ("unlock", "account.unlock"),
    ):
        answer = watcher.post(f"/console/people/{user}/{action}/", reason=f"why {action}")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/console/people/{user}/")
        assert (kind, "success", "by_admin") in events_of(server, watcher.session)
    assert client.me(target.access).status_code == 401
    watcher.post(f"/console/people/{user}/enable/", reason="once more")
    assert ("account.enable", "failure", "not_allowed") in events_of(server, watcher.session)


def test_a_verification_is_asked_for_watched_and_ends_with_its_verdict(
    server: Server, auditor: Person, look_in: LookIn
) -> None:
    watcher = look_in(auditor)
    watcher.get("/console/integrity/")
    asked = watcher.post("/console/integrity/verify/")
    assert asked.headers["Location"] == "/console/integrity/"
    watcher.post("/console/integrity/verify/")  # one is under way
    told = [one for one in events_of(server, watcher.session) if one[0] == "audit.verify"]
    assert told == [("audit.verify", "success", "by_user"), ("audit.verify", "failure", "capacity")]
    wait_until(lambda: not watcher.get("/console/integrity/progress/").json()["open"], 60)
    page = watcher.get("/console/integrity/").text
    assert "ok: " in page
    assert server.rows("SELECT outcome FROM audit_event WHERE type = 'audit.verdict'")[-1] == ("success",)


def test_following_a_verification_is_one_look_with_the_page(
    server: Server, auditor: Person, look_in: LookIn
) -> None:
    follower, stranger = look_in(auditor), look_in(auditor)
    follower.get("/console/integrity/")
    follower.post("/console/integrity/verify/")
    for _ in range(3):
        assert follower.get("/console/integrity/progress/").status_code == 200
    assert (
        stranger.get("/console/integrity/progress/").status_code == 200
    )  # who asks beside the page is told too
    for watcher in (follower, stranger):
        assert views_of(server, watcher.session) == {"log"}
        looks = [one for one in events_of(server, watcher.session) if one[0] == "audit.read"]
        assert looks == [("audit.read", "success", "")]
    wait_until(lambda: not follower.get("/console/integrity/progress/").json()["open"], 60)


@pytest.mark.parametrize(("number", "seen_at"), [(1, LONG_AGO), (2, FAR_AHEAD)])
def test_a_verification_whose_process_was_lost_ends_without_a_verdict(
    server: Server, number: int, seen_at: str
) -> None:
    lost = f"01890000-0000-7000-8000-{number:012}"
    server.rows(
        """INSERT INTO secure_auth_logverification
           (id, is_open, asked_at, started_at, seen_at, done, total, lines, verdict)
           VALUES (%s, %s, %s, %s, %s, 7, 9, '', '')""",
        [lost, True, LONG_AGO, LONG_AGO, seen_at],
    )
    sql = "SELECT verdict FROM secure_auth_logverification WHERE id = %s AND is_open IS NULL"
    wait_until(lambda: server.rows(sql, [lost]), 30)
    assert server.rows(sql, [lost]) == [("no verdict: its process was lost",)]
    told = "SELECT outcome, reason, severity FROM audit_event WHERE type = 'audit.verdict' ORDER BY id DESC LIMIT 1"
    assert server.rows(told) == [("failure", "unavailable", "medium")]


def test_a_live_tail_is_one_event_at_its_start_and_one_at_its_end(
    server: Server, client: Client, auditor: Person, look_in: LookIn
) -> None:
    watcher = look_in(auditor)
    watcher.get("/console/events/")
    tail = watcher.post("/console/events/tail/?type=login.password&outcome=failure").json()
    client.login(Person("nobody@example.org"), "a wrong passphrase")
    seen: list[str] = []

    def has_come() -> bool:
        found = watcher.get(f"/console/events/tail/{tail['id']}/?cursor={tail['cursor']}").json()
        tail["cursor"] = found["cursor"]
        seen.extend(one["type"] for one in found["results"])
        return bool(seen)

    wait_until(has_come, 20)
    assert seen == ["login.password"]
    assert watcher.post(f"/console/events/tail/{tail['id']}/stop/").status_code == 204
    assert watcher.get(f"/console/events/tail/{tail['id']}/?cursor={tail['cursor']}").status_code == 404
    told = server.rows(
        "SELECT reason, details FROM audit_event WHERE session = %s ORDER BY id", [watcher.session]
    )
    tails = [(reason, str(details)) for reason, details in told if "tail" in str(details)]
    assert [reason for reason, _ in tails] == ["", "by_user"]
    assert '"results": 1' in tails[1][1].replace("'", '"').replace('":1', '": 1')


def test_a_tail_that_nobody_asks_is_ended_by_the_worker(
    server: Server, auditor: Person, look_in: LookIn
) -> None:
    watcher = look_in(auditor)
    watcher.get("/console/events/")
    tail = watcher.post("/console/events/tail/").json()
    server.rows("UPDATE secure_auth_livetail SET seen_at = %s WHERE id = %s", [LONG_AGO, tail["id"]])
    wait_until(lambda: not server.rows("SELECT 1 FROM secure_auth_livetail WHERE id = %s", [tail["id"]]), 30)
    assert ("audit.read", "success", "idle") in events_of(server, watcher.session)


def test_a_tab_that_is_woken_once_a_minute_keeps_its_tail(
    server: Server, auditor: Person, look_in: LookIn
) -> None:
    tails = []
    for seconds in (70, 3600):
        watcher = look_in(auditor)
        watcher.get("/console/events/")
        tails.append(watcher.post("/console/events/tail/").json()["id"])
        seen = datetime.now(UTC) - timedelta(seconds=seconds)
        server.rows(
            "UPDATE secure_auth_livetail SET seen_at = %s WHERE id = %s",
            [f"{seen:%Y-%m-%d %H:%M:%S.%f}+00:00", tails[-1]],
        )
    kept, lost = tails
    wait_until(lambda: not server.rows("SELECT 1 FROM secure_auth_livetail WHERE id = %s", [lost]), 30)
    assert server.rows("SELECT 1 FROM secure_auth_livetail WHERE id = %s", [kept])


def test_who_is_erased_leaves_no_tail(server: Server, auditor: Person, look_in: LookIn) -> None:
    watcher = look_in(auditor)
    watcher.get("/console/events/")
    tail = watcher.post("/console/events/tail/").json()
    server.manage("erase_user", auditor.email, "--reason", "a test")
    assert server.rows("SELECT 1 FROM secure_auth_livetail WHERE id = %s", [tail["id"]]) == []
    assert ("audit.read", "success", "account_disabled") in events_of(server, watcher.session)
    assert watcher.get(f"/console/events/tail/{tail['id']}/?cursor={tail['cursor']}").status_code in (
        303,
        404,
    )
