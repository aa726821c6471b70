// Every page: GOV.UK's components, and decisions that can be taken back for a few seconds.
//
// A decision is kept in this browser tab until its time is over, then sent and signed. Until then nothing
// has happened: closing the tab makes no decision, the item goes back to the queue when its lease ends.
// Without script, and with a hold of 0 s, the form is sent at once.
import { initAll } from "/static/govuk/govuk-frontend.min.js";

document.body.classList.add("js-enabled", "govuk-frontend-supported");
initAll();

const KEY = "perch-held";
const holdMs = Number(document.body.dataset.undoS || 0) * 1000;
const bar = document.getElementById("held");
let timer = 0;

function read() {
  try { return JSON.parse(sessionStorage.getItem(KEY) || "null"); } catch { return null; }
}

function show(words, state, actions) {
  bar.textContent = words;
  bar.dataset.state = state;
  bar.hidden = false;
  for (const [label, act] of actions) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", act);
    bar.append(button);
  }
}

function resend(held) {
  // the plain form: the hub answers with the page that explains, the typed note still there
  const form = document.createElement("form");
  form.method = "post";
  form.action = held.action;
  for (const [name, value] of held.fields) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = value;
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}

async function send(held) {
  sessionStorage.removeItem(KEY);
  clearTimeout(timer);
  show(held.label + ". Signing…", "sending", []);
  try {
    const answer = await fetch(held.action, {
      method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(held.fields), redirect: "error",
    });
    const result = await answer.json();
    if (answer.ok) show(result.words, "done", []);
    else show(result.words, "failed", [["See what happened", () => resend(held)]]);
  } catch {
    show("The decision did not reach the hub. Nothing was signed.", "failed", [["Send it again", () => resend(held)]]);
  }
}

function wait() {
  const held = read();
  if (!held) return;
  const left = held.due - Date.now();
  if (left <= 0) { send(held); return; }
  show(`${held.label}. Undo for ${Math.ceil(left / 1000)} s`, "held", [
    ["Undo", () => { sessionStorage.removeItem(KEY); clearTimeout(timer); location.href = held.back; }],
    ["Sign now", () => send(held)],
  ]);
  timer = setTimeout(tick, 250);
}

function tick() {
  const held = read();
  if (!held) return;
  const left = held.due - Date.now();
  if (left <= 0) { send(held); return; }
  bar.firstChild.textContent = `${held.label}. Undo for ${Math.ceil(left / 1000)} s`;
  timer = setTimeout(tick, 250);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const held = read();
  if (form.name === "logout" && held) {
    event.preventDefault();
    await send(held);
    form.submit();
    return;
  }
  if (form.name === "deal" && held) {
    // the item whose decision is about to be sent is not dealt again
    const skip = document.createElement("input");
    skip.type = "hidden";
    skip.name = "skip";
    skip.value = held.action.split("/")[2];
    form.append(skip);
    return;
  }
  const label = (event.submitter && event.submitter.dataset.hold) || form.dataset.hold;
  if (!label || holdMs === 0) return;
  event.preventDefault();
  if (held) await send(held);
  const action = (event.submitter && event.submitter.getAttribute("formaction")) || form.getAttribute("action");
  const fields = [...new FormData(form).entries()];
  sessionStorage.setItem(KEY, JSON.stringify({ action, fields, label, due: Date.now() + holdMs, back: location.pathname }));
  document.getElementById("deal-next").submit();
});

wait();
