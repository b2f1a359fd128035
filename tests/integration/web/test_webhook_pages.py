"""Webhooks over HTTP: receivers, messages, and sending one again."""

from tests.support.api import Api
from worker.keys import Role

URL = "https://hooks.example/a-secret-path"
GIVE_UP = "update deliveries set state = 'failed', ended_at = now(), tries = 9, error = 'it answers 500' where id = :id"


def told(api: Api) -> int:
    api.post("/webhooks", {"url": URL}, status=201)
    api.enqueue("red")
    api.sql("select tell('batch.finished', '{}', (select id from batches), null)")
    [message] = api.get("/messages")["items"]
    api.sql(GIVE_UP, id=message["id"])
    return int(message["id"])


def test_a_receiver_is_added_listed_and_removed(api: Api) -> None:
    made = api.post("/webhooks", {"url": URL, "events": ["batch.finished"]}, status=201)
    assert made["secret"].startswith("whsec_")
    [listed] = api.get("/webhooks", role=Role.VIEWER)
    assert (listed["host"], listed["events"]) == ("https://hooks.example", ["batch.finished"])
    assert "secret" not in str(listed)
    assert api.ask("DELETE", f"/webhooks/{made['webhook']}").status_code == 204
    gone = api.ask("DELETE", f"/webhooks/{made['webhook']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_webhook")
    inside = api.ask("POST", "/webhooks", json={"url": "http://10.0.0.1/"})
    assert (inside.status_code, inside.json()["code"]) == (422, "invalid_request")
    unknown = api.ask("POST", "/webhooks", json={"url": URL, "events": ["job.began"]})
    assert "job.began" in unknown.json()["detail"]


def test_what_was_given_up_is_sent_again(api: Api) -> None:
    message = told(api)
    [failed] = api.get("/messages", params={"state": "failed"})["items"]
    assert (failed["event"], failed["batch"], failed["error"]) == ("batch.finished", "boats", "it answers 500")
    assert api.ask("POST", "/messages/replay", json={}).status_code == 422
    assert api.post("/messages/replay", {"ids": [message]}) == {"messages": 1}
    assert api.get("/messages", params={"state": "failed"})["items"] == []
    assert [each["id"] for each in api.get("/messages", params={"state": "pending"})["items"]] == [message]


def test_the_page_shows_them_and_an_operator_sends_one_again(api: Api) -> None:
    message = told(api)
    viewer, operator = ({"Authorization": f"Bearer {api.keys[role]}"} for role in (Role.VIEWER, Role.OPERATOR))
    shown = api.http.get("/webhooks?state=failed", headers=viewer).text
    assert "it answers 500" in shown
    assert "https://hooks.example" in shown
    assert "a-secret-path" not in shown
    form = {"message": str(message)}
    assert api.http.post("/actions/replay", data=form, headers=viewer).status_code == 403
    assert "1 message to be sent" in api.http.post("/actions/replay", data=form, headers=operator).text
    assert api.sql("select action from audit order by id desc limit 1")[0].action == "replay"
