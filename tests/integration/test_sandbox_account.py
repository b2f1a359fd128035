"""The stand-in's account, limits and ledger, as a client and an auditor see them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox import process
from sandbox.process import SandboxProcess
from sandbox.tones import speak, wav

IMAGE = "/zai/api/paas/v4/generate/image"
VIDEO = "/zai/api/paas/v4/videos/generations"
ASR = "/zai/api/paas/v4/audio/transcriptions"


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "0", "--latency-of", "cogvideox-3=0", "--latency-of", "viduq1-text=0")
    yield made
    made.stop()


@pytest.fixture
def api(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


def ask(api: SandboxProcess, path: str = IMAGE, token: str | None = None, **body: Any) -> httpx.Response:
    model = "cogview-4-250304" if path == IMAGE else "viduq1-text"
    return api.http.post(
        f"{api.url}{path}?api_token={token or api.token}", json={"model": model, "prompt": "a cat", **body}
    )


def ask_direct(api: SandboxProcess, **headers: str) -> httpx.Response:
    body = {"model": "cogview-4-250304", "prompt": "x"}
    return api.http.post(f"{api.url}/api/paas/v4/images/generations", json=body, headers=headers)


def code(answer: httpx.Response) -> tuple[int, str | None]:
    body = answer.json()
    inside = body.get("data", body)
    return answer.status_code, inside.get("error", {}).get("code") if isinstance(inside, dict) else None


def poll(api: SandboxProcess, task_id: Any) -> httpx.Response:
    return api.http.get(f"{api.url}/zai/api/paas/v4/async-result/{task_id}?api_token={api.token}")


# -- the account -------------------------------------------------------------------------------------


def test_no_balance_until_it_is_recharged(api: SandboxProcess) -> None:
    task = ask(api, VIDEO).json()["data"]["id"]
    api.change("account", balance=False)
    assert {code(ask(api)) for _ in range(3)} == {(429, "1113")}
    assert poll(api, task).json()["data"]["task_status"] == "SUCCESS"  # what was paid for is still told
    api.change("account", balance=True)
    assert code(ask(api)) == (200, None)
    summary = api.summary()
    assert (summary["received"], summary["accepted"], summary["charged"]) == (5, 2, 2)
    refused = summary["refused"]["1113"]
    assert refused["count"] == len(refused["at"]) == 3
    assert refused["first_at"] <= refused["last_at"]
    assert api.summary(since=refused["last_at"] + 0.000001)["received"] == 1


def test_no_balance_for_one_model(api: SandboxProcess) -> None:
    api.change("account", balance={"viduq1-text": False})
    assert [code(ask(api, VIDEO)), code(ask(api))] == [(429, "1113"), (200, None)]
    api.change("account", balance={"viduq1-text": True})
    assert code(ask(api, VIDEO)) == (200, None)


def test_a_locked_account_answers_nothing(api: SandboxProcess) -> None:
    task = ask(api, VIDEO).json()["data"]["id"]
    api.change("account", locked=True)
    assert [code(ask(api)), code(poll(api, task))] == [(429, "1112"), (429, "1112")]
    api.change("account", locked="1121")
    assert code(ask(api)) == (429, "1121")
    api.change("account", locked=False)
    assert code(ask(api)) == (200, None)


def test_a_key_is_rotated(api: SandboxProcess) -> None:
    api.change("account", token="at_new")
    old = ask(api)
    assert (old.status_code, old.json()["message"]) == (401, "Invalid api_token")
    assert old.json()["error"]["logging"]["query"] == {"api_token": api.token}  # the proxy tells on its callers
    assert code(ask(api, token="at_new")) == (200, None)
    assert code(ask_direct(api)) == (401, "1001")
    assert code(ask_direct(api, Authorization=f"Bearer {api.token}")) == (401, "1002")
    assert code(ask_direct(api, Authorization="Bearer at_new")) == (200, None)
    summary = api.summary()
    assert (summary["received"], summary["charged"]) == (5, 2)
    assert {code: each["count"] for code, each in summary["refused"].items()} == {"401": 1, "1001": 1, "1002": 1}


def test_two_keys_share_one_account(api: SandboxProcess) -> None:
    api.change("account", tokens=["at_a", "at_b"])
    api.change("limits", **{"viduq1-text": 1})
    api.change("config", times={"viduq1-text": 60})
    assert [code(ask(api, VIDEO, token=token)) for token in ("at_a", "at_b")] == [(200, None), (429, "1302")]


def test_the_proxy_has_no_credential(api: SandboxProcess) -> None:
    api.change("account", credential=False)
    assert ask(api).status_code == 403
    assert "credential" in ask(api).json()["message"]


# -- limits ---------------------------------------------------------------------------------------------


def test_a_rate_per_minute(api: SandboxProcess) -> None:
    api.change("limits", **{"cogview-4-250304": {"per_minute": 3}})
    assert [code(ask(api)) for _ in range(5)] == [(200, None)] * 3 + [(429, "1303")] * 2
    assert code(ask(api, VIDEO)) == (200, None)
    api.change("clock", advance_s=61)
    assert code(ask(api)) == (200, None)


def test_a_rate_over_all_models(api: SandboxProcess) -> None:
    api.change("limits", **{"*": {"per_minute": 120, "window_s": 1}})
    assert [code(ask(api, path))[0] for path in (IMAGE, VIDEO, IMAGE)] == [200, 200, 429]


def test_a_daily_limit_ends_at_midnight_in_china(api: SandboxProcess) -> None:
    api.change("limits", **{"cogview-4-250304": {"per_day": 1}})
    assert [code(ask(api)) for _ in range(2)] == [(200, None), (429, "1304")]
    api.change("clock", advance_s=86400)
    assert code(ask(api)) == (200, None)


def test_concurrency_changes_at_run_time(api: SandboxProcess) -> None:
    api.change("config", times={"viduq1-text": 60}, retry_after="7")
    api.change("limits", **{"viduq1-text": 2})
    assert [code(ask(api, VIDEO))[0] for _ in range(3)] == [200, 200, 429]
    assert ask(api, VIDEO).headers["retry-after"] == "7"
    api.change("limits", **{"viduq1-text": 3})
    assert [code(ask(api, VIDEO))[0] for _ in range(2)] == [200, 429]
    api.change("clock", advance_s=61)  # all three are done
    assert code(ask(api, VIDEO)) == (200, None)


def test_polls_may_have_a_limit(api: SandboxProcess) -> None:
    task = ask(api, VIDEO).json()["data"]["id"]
    api.change("limits", async_result={"per_minute": 2})
    assert [code(poll(api, task)) for _ in range(3)] == [(200, None)] * 2 + [(429, "1303")]
    api.change("limits", async_result={"per_minute": None})
    assert code(poll(api, task)) == (200, None)


# -- request ids, keys and the ledger -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duplicates", "second", "charged"),
    [("ignore", (200, None), 2), ("refuse", (400, "1231"), 1), ("same", (200, None), 1)],
)
def test_a_request_id_is_used_twice(
    api: SandboxProcess, duplicates: str, second: tuple[int, str | None], charged: int
) -> None:
    api.change("config", duplicates=duplicates)
    once = ask(api, VIDEO, request_id="req-000001")
    twice = ask(api, VIDEO, request_id="req-000001")
    assert code(twice) == second
    assert api.summary()["charged_by_request_id"] == {"req-000001": charged}
    assert [entry["repeats"] for entry in api.ledger()] == [None, api.ledger()[0]["n"]]
    if twice.status_code == 200:
        assert (once.json()["data"]["id"] == twice.json()["data"]["id"]) is (duplicates == "same")


def test_two_at_once_with_one_request_id_buy_one_task(api: SandboxProcess) -> None:
    api.change("config", duplicates="same")

    async def both() -> set[str]:
        async with httpx.AsyncClient() as client:
            url = f"{api.url}{VIDEO}?api_token={api.token}"
            body = {"model": "viduq1-text", "prompt": "x", "request_id": "req-000001"}
            answers = await asyncio.gather(*(client.post(url, json=body) for _ in range(4)))
            return {answer.json()["data"]["id"] for answer in answers}

    assert len(asyncio.run(both())) == 1
    assert api.summary()["charged"] == 1


def test_images_are_counted_by_their_rows_key(api: SandboxProcess) -> None:
    for key in ("a", "a", "b"):
        ask(api, prompt=f"a cat [[key:{key}]]")
    ask(api, prompt="a cat [[key:c]][[fault:content]]")
    assert api.summary()["charged_by_key"] == {"a": 2, "b": 1}
    last = api.ledger()[-1]
    assert (last["key"], last["received"], last["accepted"], last["charged"], last["cost"]) == (
        "c", True, False, False, 0.0,
    )  # fmt: skip
    assert (last["status"], last["code"], last["faults"]) == (400, "1301", ["content"])


def test_uploads_of_one_name_at_once_are_mixed_up_by_the_proxy(api: SandboxProcess) -> None:
    words = ("amber", "ocean")

    async def both(folder: str) -> list[str]:
        async with httpx.AsyncClient() as client:
            names = ["a.wav", "a.wav"] if folder == "same" else ["a.wav", "b.wav"]
            answers = await asyncio.gather(
                *(
                    client.post(
                        f"{api.url}{ASR}?api_token={api.token}",
                        data={"model": "glm-asr-2512"},
                        files={"file": (name, wav(speak([word] * 2)), "audio/wav")},
                    )
                    for name, word in zip(names, words, strict=True)
                )
            )
            return [answer.json()["data"]["text"] for answer in answers]

    api.change("config", times={"glm-asr-2512": 0.6})
    assert asyncio.run(both("different")) == ["amber amber", "ocean ocean"]
    [first, second] = asyncio.run(both("same"))
    assert first == second
    api.change("config", shared_uploads=False)
    assert asyncio.run(both("same")) == ["amber amber", "ocean ocean"]


def test_bad_settings_are_refused_and_change_nothing(api: SandboxProcess) -> None:
    for what, given in (
        ("config", {"wrapper": "paper"}),
        ("config", {"colour": 1}),
        ("account", {"mood": "good"}),
        ("limits", {"m": {"per_hour": 1}}),
        ("faults", [{"fault": "nope"}]),
        ("faults", [{"fault": "html", "match": {"colour": 1}}]),
    ):
        assert api.http.post(f"{api.url}/_{what}", json=given).status_code == 400, given
    assert api.http.get(f"{api.url}/_faults").json() == []


# -- killed and started again ----------------------------------------------------------------------------


def test_a_kill_keeps_ledger_tasks_and_account(tmp_path: Path) -> None:
    flags = ("--latency", "0", "--latency-of", "viduq1-text=60", "--state", str(tmp_path / "state.db"))
    api = process.start(*flags)
    try:
        task = ask(api, VIDEO, request_id="req-000001").json()["data"]["id"]
        number = ask(api, VIDEO, prompt="x [[key:k]][[fault:numeric_id]]").json()["data"]["id"]
        api.play({"fault": "hang_before"})
        with pytest.raises(httpx.ReadTimeout):
            api.http.post(f"{api.url}{IMAGE}?api_token={api.token}", json={"model": "glm-image"}, timeout=0.2)
        api.change("account", balance=False)
        api.change("limits", **{"viduq1-text": {"concurrency": 2, "per_day": 2}})
        before = api.ledger()
        api.kill()
        api = process.start(*flags)
        assert api.ledger() == before
        summary = api.summary()
        assert (summary["received"], summary["charged"], summary["cost"]) == (3, 2, 0.8)
        assert poll(api, task).json()["data"]["task_status"] == "PROCESSING"
        assert poll(api, number).json()["data"]["task_status"] == "PROCESSING"
        assert code(ask(api)) == (429, "1113")
        api.change("account", balance=True)
        assert code(ask(api, VIDEO)) == (429, "1304")  # the day's two were before the kill
        assert [entry["n"] for entry in api.ledger()] == [1, 2, 3, 4, 5]
        api.change("limits", **{"viduq1-text": {"concurrency": 2, "per_day": None}})
        assert code(ask(api, VIDEO)) == (429, "1302")  # both tasks still hold their slots
        api.change("config", duplicates="refuse")
        api.change("limits", **{"viduq1-text": 3})
        assert code(ask(api, VIDEO, request_id="req-000001")) == (400, "1231")
    finally:
        api.stop()
