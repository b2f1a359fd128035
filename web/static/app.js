// What the pages do by themselves. They are rendered by the server; without this they are still, but whole.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// -- Times, by the reader's own clock -----------------------------------------------------------------------------
const DAY = {hourCycle: "h23"};  // one clock on all pages, whatever the reader's country has
const SPANS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function ago(seconds) {
  const span = Math.abs(seconds);
  if (span < 2) return "now";
  const [unit, mark] = SPANS.find(([unit]) => span >= unit) || SPANS[3];
  const words = `${Math.floor(span / unit)} ${mark}`;
  return seconds < 0 ? `in ${words}` : `${words} ago`;
}

function tellTimes(root = document) {
  for (const each of $$("time[data-ago]", root)) {
    const at = new Date(each.dateTime);
    each.textContent = ago((Date.now() - at) / 1000);
    each.title = at.toLocaleString([], DAY);
  }
  for (const each of $$("time[data-local]", root)) {
    const at = new Date(each.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    const form = each.dataset.local;
    each.textContent = form === "clock" ? at.toLocaleTimeString([], {...DAY, hour: "2-digit", minute: "2-digit"})
      : form === "exact" ? `${at.toLocaleTimeString([], DAY)}.${String(at.getMilliseconds()).padStart(3, "0")}`
      : today ? at.toLocaleTimeString([], DAY) : at.toLocaleString([], {...DAY, dateStyle: "medium", timeStyle: "short"});
    each.title = each.dateTime;
  }
}
setInterval(tellTimes, 5000);

// -- Live: one stream for the page; what changed is laid over what is there ---------------------------------------
const live = {url: document.body.dataset.live, source: null, paused: false, silence: null};
const ASK_AGAIN_MS = 5000, SILENT_MS = 3000;  // a stream that ends in its time is there again sooner

function followLive() {
  if (!live.url || live.paused || live.source || document.hidden) return;
  live.source = new EventSource(live.url);
  live.source.onmessage = (message) => lay(message.data);
  live.source.addEventListener("away", () => tellLive(true));
  live.source.onerror = () => {
    live.silence ??= setTimeout(tellLive, SILENT_MS, true);
    if (live.source?.readyState !== EventSource.CLOSED) return;  // else it tries again by itself
    leaveLive();
    setTimeout(askAgain, ASK_AGAIN_MS);
  };
}

function leaveLive() {
  live.source?.close();
  live.source = null;
}

async function askAgain() {  // a stream is refused without a word, as to who was logged out
  if (live.paused || live.source) return;
  const asking = new AbortController();
  const answer = await fetch(live.url, {headers: {"Mediajobs-Part": "live"}, signal: asking.signal}).catch(() => null);
  asking.abort();
  if (!answer || !goes(answer)) followLive();
}

function tellLive(away) {
  clearTimeout(live.silence);
  live.silence = null;
  document.body.classList.toggle("away", away);
  const button = $("#live");
  if (!button) return;
  button.setAttribute("aria-pressed", String(!live.paused));
  $("span:last-child", button).textContent = live.paused ? "Paused" : away ? "Not connected" : "Live";
}

function lay(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const part of [...fresh.body.children]) {
    const old = document.getElementById(part.id);
    if (!old) continue;
    tellTimes(part);
    Idiomorph.morph(old, part, {
      ignoreActiveValue: Boolean(document.activeElement?.matches("input, textarea, select")),  // a button has none
      callbacks: {beforeAttributeUpdated: (name, node) => !(name === "checked" || (name === "open" && node.tagName === "DETAILS"))},
    });
  }
  tellLive(false);
  document.body.dataset.laid = Number(document.body.dataset.laid || 0) + 1;
}

function setPaused(paused) {
  live.paused = paused;
  tellLive(false);
  paused ? leaveLive() : followLive();
}

document.addEventListener("visibilitychange", () => (document.hidden ? leaveLive() : followLive()));
addEventListener("pagehide", leaveLive);

// -- Dialogs: what an action would do is shown before it is done ---------------------------------------------------
const dialog = $("#dialog");

function goes(answer) {  // to where the answer says: the page of what was made, or the login
  const target = answer.headers.get("Mediajobs-Go");
  if (target) location.assign(target);
  return Boolean(target);
}

async function openDialog(url) {
  const answer = await fetch(url, {headers: {"Mediajobs-Part": "dialog"}}).catch(() => null);
  if (!answer) { toast(NO_ANSWER); return; }
  if (goes(answer)) return;
  dialog.innerHTML = await answer.text();
  dialog.className = $("[data-big]", dialog) ? "big" : "";
  htmx.process(dialog);
  tellTimes(dialog);
  if (!dialog.open) dialog.showModal();
  ($("[autofocus]", dialog) || $("button", dialog))?.focus();
}

async function send(form, submitter) {
  const data = new FormData(form, submitter);
  const buttons = $$("button", form);
  buttons.forEach((each) => (each.disabled = true));
  try {
    const plain = form.enctype !== "multipart/form-data";
    const answer = await fetch(form.action, {
      method: "POST", body: plain ? new URLSearchParams(data) : data, headers: {"Mediajobs-Part": "action"},
    }).catch(() => null);
    if (!answer) { toast(NO_ANSWER); return; }
    if (goes(answer)) return;
    const html = await answer.text();
    const place = form.dataset.result && $(form.dataset.result);
    if (place) { place.innerHTML = html; htmx.process(place); return; }
    if (answer.ok && dialog.open) dialog.close();
    toast(html);
    if (answer.ok && form.dataset.reload !== undefined) setTimeout(() => location.reload(), 700);
  } finally {
    buttons.forEach((each) => (each.disabled = false));
  }
}

const NO_ANSWER = '<div class="notice bad">The server did not answer. Load the page again to see whether it was done.</div>';
let toastTimer;
function toast(html) {
  const place = $("#toast");
  place.innerHTML = html;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (place.innerHTML = ""), 8000);
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    event.preventDefault();
    openDialog(opener.dataset.dialog + (opener.dataset.selection !== undefined ? selection() : ""));
  } else if (event.target === dialog || event.target.closest("[data-close]")) {
    dialog.close();
  }
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-send]")) {
    event.preventDefault();
    send(event.target, event.submitter);
  }
});

// -- The wall: parts in view with jobs that have not ended are looked at again -------------------------------------
const LOOK_MS = 3000;

async function lookAtWall() {
  for (const part of $$(".wall-part")) {
    const {top, bottom} = part.getBoundingClientRect();
    if (bottom < 0 || top > innerHeight || !$("[data-open]", part) || live.paused || document.hidden) continue;
    const answer = await fetch(part.dataset.url, {headers: {"Mediajobs-Part": "wall"}}).catch(() => null);
    if (answer && goes(answer)) return;
    if (answer?.ok) Idiomorph.morph(part, await answer.text(), {morphStyle: "innerHTML"});
  }
  setTimeout(lookAtWall, LOOK_MS);
}
if ($("#wall")) setTimeout(lookAtWall, LOOK_MS);

// -- Selected jobs -------------------------------------------------------------------------------------------------
const selection = () => "&" + new URLSearchParams($$("input[name=job]:checked").map((each) => ["job", each.value]));

document.addEventListener("change", (event) => {
  if (event.target.name === "job") tellSelected();
  if (event.target.closest("form[data-at-once]")) event.target.form.requestSubmit();
});

function tellSelected() {
  const count = $$("input[name=job]:checked").length;
  const place = $("#selected");
  if (!place) return;
  place.hidden = !count;
  $("b", place).textContent = count;
}

// -- Sound, and the words that are said just now ---------------------------------------------------------------------
for (const media of $$("[data-follows]")) {
  const words = $$(`#${media.dataset.follows} [data-start]`);
  const starts = words.map((each) => Number(each.dataset.start));
  let said = null;
  media.addEventListener("timeupdate", () => {
    let place = starts.findLastIndex((start) => start <= media.currentTime);
    if (place >= 0 && media.currentTime > Number(words[place].dataset.end) + 0.4) place = -1;
    if (words[place] === said) return;
    said?.classList.remove("said");
    said = words[place] || null;
    said?.classList.add("said");
    if (said && !media.paused) {
      const box = said.parentElement;
      const top = said.offsetTop - box.offsetTop;
      if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 40) box.scrollTop = top - 60;
    }
  });
  for (const word of words) {
    word.addEventListener("click", () => { media.currentTime = Number(word.dataset.start); media.play(); });
  }
}

// -- Keys ----------------------------------------------------------------------------------------------------------
const PAGES = {n: "/", b: "/batches", j: "/jobs", s: "/schedules", c: "/costs", a: "/audit", u: "/submit"};
let went = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (went && PAGES[event.key]) location.assign(PAGES[event.key]);
  went = event.key === "g";
  if (event.key === "/") {
    const field = $("[type=search]");
    if (field) { event.preventDefault(); field.focus(); field.select(); } else location.assign("/jobs");
  } else if (event.key === "." && live.url) {
    setPaused(!live.paused);
  } else if (event.key === "?") {
    openDialog("/keys");
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !dialog.open) {
    const rows = $$("a.what, .batch a.name, .wall a.tile");
    const place = rows.indexOf(document.activeElement);
    const next = rows[place + (event.key === "ArrowDown" ? 1 : -1)];
    if (next && place >= 0) { event.preventDefault(); next.focus(); }
  }
});

// -- Theme -----------------------------------------------------------------------------------------------------------
const THEMES = {auto: "light", light: "dark", dark: "auto"};
const themeButton = $("#theme");

function tellTheme() {
  const now = document.documentElement.dataset.theme || "auto";
  $("span", themeButton).textContent = now[0].toUpperCase() + now.slice(1);
  themeButton.setAttribute("aria-label", `Theme: ${now}`);
}
themeButton?.addEventListener("click", () => {
  const next = THEMES[document.documentElement.dataset.theme || "auto"];
  if (next === "auto") { delete document.documentElement.dataset.theme; localStorage.removeItem("theme"); }
  else { document.documentElement.dataset.theme = next; localStorage.setItem("theme", next); }
  tellTheme();
});
if (themeButton) tellTheme();
$("#keys-help")?.addEventListener("click", () => openDialog("/keys"));
$("#live")?.addEventListener("click", () => setPaused(!live.paused));

document.addEventListener("htmx:afterSwap", (event) => tellTimes(event.target));
tellTimes();
followLive();
