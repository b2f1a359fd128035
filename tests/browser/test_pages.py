"""A person at work, start to end, in the browser alone."""

import json
import os
import re

import pytest
from playwright.sync_api import Browser, expect

from sandbox.recordings import record
from sandbox.tones import recite
from tests.support.browser import Look, looking
from tests.support.receiver import receiving
from tests.support.stack import Stack, wait_until

MODEL = "cogview-4-250304"


def submit(look: Look, kind: str, batch: str, *prompts: str, model: str = "") -> None:
    """By the form; ends on the batch's page."""
    page = look.open("/submit")
    page.get_by_label("What the rows are").select_option(kind)
    page.get_by_label("Or a prompt a line").fill("\n".join(prompts))
    page.get_by_label("Name of the batch").fill(batch)
    page.get_by_label("Model, for rows that name none").fill(model)
    look.click("Submit")
    page.wait_for_url(re.compile(r"/batches/\d+$"))


def test_a_batch_is_checked_submitted_watched_and_looked_at(look: Look) -> None:
    page = look.open("/submit")
    page.get_by_label("Or a prompt a line").fill("\n".join(f"a boat, {number}" for number in range(12)))
    page.get_by_label("Name of the batch").fill("boats")
    look.click("Check it")
    look.says("12 jobs, about $0.12")
    look.click("Submit")
    page.wait_for_url(re.compile(r"/batches/\d+$"))
    look.says("12 of 12 jobs")  # it came by itself: the page was not loaded again
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
    assert int(page.evaluate("document.body.dataset.laid")) >= 1
    look.click("Gallery", role="link")
    tiles = page.locator(".wall a.tile")
    expect(tiles).to_have_count(12)
    look.until("[...document.querySelectorAll('.wall img')].every((each) => each.naturalWidth > 0)")
    tiles.first.click()
    page.wait_for_url(re.compile(r"/jobs/\d+$"))
    look.until("document.querySelector('.output img')?.naturalWidth >= 1024")
    look.says("Where the time went")
    page.get_by_text("The answer").click()
    look.says('"data"')


def test_a_failure_is_understood_and_retried_and_who_did_it_is_on_record(look: Look) -> None:
    submit(look, "image", "mishaps", "a cat", "a dog [[fault:content]]")
    look.says("2 of 2 jobs")
    look.says("unsafe or sensitive content")
    look.page.locator("#failures").get_by_role("button", name="Retry…").click()
    look.says("Retry 1 job?")
    look.says("At most $0.01")
    look.page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    look.says("1 job retried")
    page = look.open("/audit")
    entry = page.locator(".trail li", has_text="retry").first
    expect(entry).to_contain_text("batch mishaps")
    expect(entry).to_contain_text("dashboard")


def test_messages_in_flower_lead_to_job_and_batch(look: Look, stack: Stack) -> None:
    submit(look, "image", "in flower", "a lily")
    known = stack.services()["addresses"]
    name, password = known["flower login"].split(", password ")
    flower = known["flower"].replace("://", f"://{name}:{password}@")
    look.says("1 of 1 job")
    message = look.page.locator("td", has_text="in flower").filter(has_text="image by")

    def heard() -> bool:
        """Flower shows what it heard until then."""
        look.page.goto(f"{flower}/tasks?name=mediajobs.run")
        look.page.locator("#tasks-table_info").wait_for()
        return message.count() > 0

    wait_until(heard, what="the message in Flower")
    message.first.get_by_role("link", name="in flower").click()
    look.page.wait_for_url(re.compile(r"/batches/\d+$"))
    look.says("1 of 1 job")
    look.page.go_back()
    message.first.get_by_role("link").first.click()
    look.page.wait_for_url(re.compile(r"/jobs/\d+$"))
    look.says("Where the time went")


def test_a_video_plays(look: Look) -> None:
    submit(look, "video", "clips", "waves", model="viduq1-text")
    look.says("1 of 1 job", timeout_s=60)
    page = look.page
    page.locator("#newest a.tile").first.click()
    page.wait_for_url(re.compile(r"/jobs/\d+$"))
    page.evaluate("document.querySelector('video').play()")
    look.until("document.querySelector('video').currentTime > 0.2")


def test_words_are_marked_as_they_are_said(look: Look, stack: Stack) -> None:
    words = ["amber", "basil", "cedar", "delta", "ember"] * 18
    record(stack.folder / "talk.mp3", recite((word, 0.3) for word in words))
    (stack.folder / "talk.csv").write_text("key,file\ntalk,talk.mp3\n")
    stack.run("submit", "talk.csv", "--kind", "transcription", "--batch", "talks", "--wait")
    page = look.open("/jobs?q=talk")
    page.get_by_role("link", name=re.compile("^talk ")).first.click()
    page.wait_for_url(re.compile(r"/jobs/\d+$"))
    expect(page.locator(".transcript [data-start]").first).to_have_text("amber")
    page.evaluate("document.querySelector('audio').play()")
    expect(page.locator(".transcript .said")).to_have_count(1)
    said = page.locator(".transcript [data-start]").nth(20)
    start = float(said.get_attribute("data-start") or 0)
    said.click()
    look.until(f"document.querySelector('audio').currentTime >= {start}")


def test_a_model_is_paused_with_a_reason_that_its_jobs_tell_and_goes_on(look: Look, browser: Browser) -> None:
    page = look.open("/")
    submit(look, "image", "before", "one")
    look.says("1 of 1 job")
    page = look.open("/")
    look.click(f"Pause {MODEL}")
    page.get_by_label("Reason, for all to see").fill("looking at it")
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    look.says(f"{MODEL} is paused")
    expect(page.get_by_role("button", name="Resume", exact=True)).to_have_text("Resume")  # the focus is on it
    with looking(browser, look.base) as other:  # somebody else, who had the page open
        other.open("/")
        other.says("looking at it")
        submit(look, "image", "paused", "two")
        look.says("is paused until resumed: looking at it")
        page = look.open("/jobs?state=queued")
        look.says("looking at it")
        other.click("Resume")
        other.page.get_by_role("dialog").get_by_role("button", name="Resume").click()
        other.says(f"{MODEL} is resumed")
    look.open("/batches?name=paused")
    look.says("1 succeeded")


def test_the_list_is_live_and_can_be_paused(look: Look) -> None:
    page = look.open("/jobs?q=lantern")
    look.says("No job matches")
    look.until("document.body.dataset.laid >= 1")
    look.click("Live")
    expect(page.get_by_role("button", name="Paused")).to_have_attribute("aria-pressed", "false")
    with looking(page.context.browser, look.base) as other:  # type: ignore[arg-type]
        submit(other, "image", "lanterns", "a lantern")
        other.says("1 of 1 job")
    expect(page.locator("#jobs")).to_contain_text("No job matches")
    page.keyboard.press(".")
    look.says("a lantern")


def test_jobs_that_are_selected_are_cancelled_together(look: Look, stack: Stack) -> None:
    stack.run("pause", "glm-image", "--reason", "for a test")
    submit(look, "image", "unwanted", "one", "two", "three", model="glm-image")
    page = look.open("/jobs?model=glm-image&state=queued")
    for each in page.get_by_role("checkbox").all()[:2]:
        each.check()
    look.says("2 selected")
    page.locator("#selected").get_by_role("button", name="Cancel…").click()
    look.says("Cancel 2 jobs?")
    look.click("Cancel them")
    look.says("2 jobs cancelled")
    expect(page.locator("#jobs .job")).to_have_count(1)
    stack.run("resume", "glm-image")


def test_a_file_of_jobs_that_follow_one_another(look: Look) -> None:
    rows = [
        {"key": "idea", "kind": "chat", "prompt": "a fox, in one sentence"},
        {"key": "picture", "kind": "image", "prompt": "{{ text of idea }}", "after": "idea"},
        {
            "key": "film",
            "kind": "video",
            "prompt": "it moves",
            "image_url": "{{ image of picture }}",
            "after": "picture",
        },
    ]
    manifest = "".join(json.dumps(row) + "\n" for row in rows).encode()
    page = look.open("/submit")
    page.get_by_label("What the rows are").select_option("as each row says")
    page.get_by_label("A file, CSV or JSONL").set_input_files(
        {"name": "fox.jsonl", "mimeType": "application/jsonl", "buffer": manifest}
    )
    page.get_by_label("Name of the batch").fill("fox film")
    look.click("Check it")
    look.says("3 jobs, about $")
    look.click("Submit")
    page.wait_for_url(re.compile(r"/batches/\d+$"))
    look.says("3 of 3 jobs", timeout_s=60)
    page = look.open("/jobs?q=picture")
    page.get_by_role("link", name=re.compile("^picture")).first.click()
    page.wait_for_url(re.compile(r"/jobs/\d+$"))
    look.says("Comes after")
    look.says("Comes before")
    page.locator("#job-order").get_by_role("link", name="film").click()
    look.until("document.querySelector('video')?.readyState > 0")


def test_bad_rows_are_named_and_nothing_is_enqueued(look: Look) -> None:
    page = look.open("/submit")
    rows = b"prompt,size\na boat,1024x1024\na quay,17x17\n"
    page.get_by_label("A file, CSV or JSONL").set_input_files(
        {"name": "quay.csv", "mimeType": "text/csv", "buffer": rows}
    )
    look.click("Submit")
    look.says("1 bad row; nothing was enqueued")
    look.says("17x17")
    page.get_by_label("Leave bad rows out").check()
    look.click("Submit")
    page.wait_for_url(re.compile(r"/batches/\d+$"))
    look.says("1 of 1 job")
    look.complaints[:] = [each for each in look.complaints if "422" not in each]


def test_a_message_to_a_receiver_is_seen_and_sent_again(look: Look, stack: Stack) -> None:
    with receiving() as receiver:
        stack.run("webhooks", "add", receiver.url, "--event", "batch.finished")
        submit(look, "image", "told", "a bell")
        look.says("1 of 1 job")
        page = look.open("/webhooks")
        message = page.locator("#messages li", has_text="told")
        expect(message).to_contain_text("delivered")  # it came by itself
        message.get_by_role("button").click()
        look.says("1 message to be sent once more")
        receiver.wait_for(2)
        first, again = receiver.got[:2]
        assert first.message["data"]["batch"] == "told"
        assert first.headers["webhook-id"] == again.headers["webhook-id"]
        stack.run("webhooks", "rm", "1")


def test_a_budget_holds_a_batch_back_until_there_is_more(look: Look) -> None:
    page = look.open("/submit")
    page.get_by_label("Or a prompt a line").fill("a coin\na purse\na vault")
    page.get_by_label("Name of the batch").fill("thrifty")
    page.get_by_label("Budget in US dollars").fill("0.01")
    look.click("Submit")
    page.wait_for_url(re.compile(r"/batches/\d+$"))
    batch = page.url
    look.says("1 of 3 jobs")
    expect(page.locator("#pace")).to_contain_text("budget: batch 'thrifty' has $0.01")
    look.open("/costs")
    look.click("Change the budget of batch 'thrifty'")
    page.get_by_label("US dollars", exact=True).fill("5")
    look.click("Set")
    look.says("batch 'thrifty': $5")
    page.goto(batch)
    look.says("3 of 3 jobs")


def test_a_held_video_is_decided(look: Look, stack: Stack) -> None:
    stack.play({"fault": "bad_gateway_after", "match": {"endpoint": "video"}, "times": 1})
    submit(look, "video", "doubtful", "a storm", model="viduq1-text")
    look.says("1 held", timeout_s=60)
    page = look.open("/")
    look.says("1 job held")
    look.click("Decide", role="link")
    page.get_by_role("checkbox").first.check()
    look.click("Decide…")
    look.says("It may have been charged")
    look.click("Buy again")
    look.says("1 job resolved")


def test_a_schedule_is_run_and_paused(look: Look, stack: Stack) -> None:
    folder = stack.folder / "heard"
    folder.mkdir()
    record(folder / "one.mp3", recite([("amber", 0.3), ("basil", 0.3)]))
    os.utime(folder / "one.mp3", (1, 1))  # what is as new as that may still be being written
    stack.run("schedule", "add", "heard", "--cron", "0 3 * * 1", "--source", str(folder))
    page = look.open("/schedules")
    look.says("at 03:00 on Monday")
    look.click("Run heard now")
    look.click("Run it")
    look.says("1 new of 1 file", timeout_s=60)  # it came by itself
    look.click("Pause heard")
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    look.says("heard is paused")
    page.get_by_role("link", name="heard", exact=True).click()
    look.says("not while it is paused")


def test_a_viewer_logs_in_sees_all_and_is_refused(look: Look, stack: Stack) -> None:
    key = stack.run("keys", "add", "vera", "--role", "viewer").strip()
    try:
        page = look.open("/batches")
        page.wait_for_url(re.compile(r"/login"))
        page.get_by_label("Key").fill(key)
        page.keyboard.press("Enter")
        page.wait_for_url(look.base + "/batches")
        look.says("vera")
        expect(page.get_by_role("link", name="Submit")).to_have_count(0)
        look.open("/submit")
        look.says("this takes the role operator")
        look.click("Batches", role="link")
        pause = "fetch('/actions/pause', {method: 'POST', body: new URLSearchParams({model: '*'})})"
        assert page.evaluate(f"{pause}.then((answer) => answer.status)") == 403
        look.click("Now", role="link")
        page.wait_for_url(look.base + "/")
        expect(page.get_by_role("button", name=re.compile("^Pause "))).to_have_count(0)
        look.click("Log out")
        page.wait_for_url(look.base + "/login")
        look.open("/batches")
        page.wait_for_url(re.compile(r"/login\?"))
        assert all("403" in each for each in look.complaints)
        look.complaints.clear()
    finally:
        stack.run("keys", "rm", "vera")


def test_a_page_that_is_cut_off_says_so_and_comes_back(look: Look) -> None:
    page = look.page
    page.route("**/live/**", lambda route: route.abort())
    look.open("/")
    expect(page.get_by_role("button", name="Not connected")).to_be_visible(timeout=30_000)
    page.unroute("**/live/**")
    expect(page.get_by_role("button", name="Live", exact=True)).to_be_visible(timeout=30_000)
    look.until("document.body.dataset.laid >= 1")
    page.route("**/actions/**", lambda route: route.abort())
    look.click("Limits of " + MODEL)
    look.says("The server did not answer")
    look.complaints[:] = [each for each in look.complaints if "ERR_FAILED" not in each]


def test_who_was_logged_out_elsewhere_is_led_to_the_login(look: Look) -> None:
    gone = {"status": 401, "headers": {"Mediajobs-Go": "/login"}, "body": ""}
    look.page.route("**/live/**", lambda route: route.fulfill(**gone))
    look.open("/")
    look.page.wait_for_url(look.base + "/login", timeout=30_000)
    look.complaints[:] = [each for each in look.complaints if "401" not in each and "MIME" not in each]


def test_the_gallery_fills_while_one_looks(look: Look, stack: Stack) -> None:
    stack.run("pause", MODEL, "--reason", "for a test")
    submit(look, "image", "slow boats", *(f"a slow boat, {number}" for number in range(5)))
    look.click("Gallery", role="link")
    tiles = look.page.locator(".wall a.tile")
    expect(tiles).to_have_count(5)
    expect(look.page.locator("#wall-head")).to_contain_text("5 queued")
    stack.run("resume", MODEL)
    expect(look.page.locator("#wall-head")).to_contain_text("5 succeeded", timeout=30_000)
    look.until("[...document.querySelectorAll('.wall .tile')].every((each) => each.querySelector('img')?.naturalWidth)")
    assert look.page.evaluate("performance.getEntriesByType('navigation').length") == 1


def test_everything_is_reached_by_keyboard(look: Look) -> None:
    page = look.open("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for key, path in {"b": "/batches", "j": "/jobs", "c": "/costs", "n": "/"}.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(look.base + path)
    page.keyboard.press("?")
    look.says("Pause what is live")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_url(look.base + "/jobs")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


#: Each size and each theme once; the others in a soak.
SIGHTS = {"desktop, light": (False, False), "phone, dark": (True, True)}
SOAKED = {"desktop, dark": (False, True), "phone, light": (True, False)}


@pytest.mark.parametrize(
    ("phone", "dark"),
    [*SIGHTS.values(), *(pytest.param(*each, marks=pytest.mark.soak) for each in SOAKED.values())],
    ids=[*SIGHTS, *SOAKED],
)
def test_nobody_is_kept_out_by_a_page(browser: Browser, base: str, stack: Stack, *, dark: bool, phone: bool) -> None:
    """axe finds nothing serious, and nothing is wider than the screen."""
    record(stack.folder / "seen.mp3", recite([("amber", 0.3), ("basil", 0.3)]))
    rows = '{"kind": "image", "prompt": "a boat"}\n{"kind": "transcription", "file": "seen.mp3"}\n'
    # The same again adds nothing: these tests may run in any order, or alone.
    stack.run("submit", "-", "--format", "jsonl", "--batch", "seen", "--wait", input=rows)
    with stack.database() as conn:
        [[image, batch], [heard, _]] = conn.execute("""
            select j.id, batch_id from jobs j join batches b on b.id = batch_id
            where b.name = 'seen' and parent_id is null order by j.id
        """).fetchall()
    one = [f"/jobs/{image}", f"/jobs/{heard}", f"/batches/{batch}", f"/batches/{batch}/wall"]
    pages = [
        "/",
        "/batches",
        "/jobs",
        "/jobs?state=failed",
        "/costs",
        "/schedules",
        "/webhooks",
        "/audit",
        "/submit",
        *one,
    ]
    key = stack.run("keys", "add", "axel", "--role", "admin").strip()
    try:
        with looking(browser, base, dark=dark, phone=phone) as look:
            look.open("/login").get_by_label("Key").fill(key)
            look.page.keyboard.press("Enter")
            look.page.wait_for_url(base + "/")
            for path in pages:
                page = look.open(path)
                assert look.barriers() == [], path
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
                side = page.locator(".side")
                for role, name in (("link", "Submit"), ("button", "Theme"), ("button", "Log out")):  # on a phone, too
                    expect(side.get_by_role(role, name=name)).to_be_in_viewport(ratio=1)  # type: ignore[arg-type]
    finally:
        stack.run("keys", "rm", "axel")
