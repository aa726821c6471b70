// Every page works without this: it keeps drafts while one writes, the dock's state live, and reads aloud.
"use strict";

const post = (path, body, more = {}) => fetch(path, { method: "POST", body, ...more });

// -- the dock, once a second while somebody looks
function liveStatus() {
  const line = document.getElementById("status");
  if (!line) return;
  const dock = line.closest(".dock");
  const bar = document.getElementById("bar");
  const digits = document.getElementById("digits");
  async function look() {
    if (!document.hidden) {
      try {
        const now = await (await fetch("/status.json", { cache: "no-store" })).json();
        const before = dock.dataset.state;
        const enrolled = (state) => state !== "new" && state !== "enrolling";
        if (enrolled(now.state) !== enrolled(before) || (digits && now.digits !== digits.dataset.digits)
          || (before === "docked" && now.state === "settled")) { // new things are here: show them
          location.reload();
          return;
        }
        dock.dataset.state = now.state;
        const text = new DOMParser().parseFromString(now.line, "text/html").body.textContent;
        if (line.textContent !== text) line.textContent = text;
        bar.hidden = !(now.total && now.state === "docked");
        bar.max = now.total || 1;
        bar.value = now.done;
      } catch { /* the device is busy or starting again: ask again in a second */ }
    }
    setTimeout(look, 1000);
  }
  setTimeout(look, 1000);
}

// -- a draft: kept on the device a moment after the last key, and once more when one leaves
function draft() {
  const form = document.getElementById("write-form");
  if (!form) return;
  const text = document.getElementById("text");
  const room = document.getElementById("room");
  const kept = document.getElementById("kept");
  const where = "/draft?group=" + encodeURIComponent(form.elements.group.value) + "&to=" + form.elements.to.value;
  const bytes = new TextEncoder();
  let saved = text.value, timer = 0, busy = null, sending = false;
  function count() {
    const left = Number(text.dataset.max) - bytes.encode(text.value).length;
    room.textContent = room.dataset.words.replace("#", left);
    room.classList.toggle("over", left < 0);
  }
  async function save() {
    if (busy || sending || text.value === saved) return;
    const now = text.value;
    kept.textContent = kept.dataset.keeping;
    busy = post(where, now, { headers: { "Content-Type": "text/plain; charset=utf-8" } });
    let good = false;
    try { good = (await busy).ok; } catch { /* said below */ }
    busy = null;
    if (good) saved = now;
    kept.textContent = good ? kept.dataset.kept : kept.dataset.lost;
    if (text.value !== saved) timer = setTimeout(save, good ? 300 : 2000);
  }
  text.addEventListener("input", () => { count(); clearTimeout(timer); timer = setTimeout(save, 500); });
  addEventListener("pagehide", () => {
    if (!sending && text.value !== saved) navigator.sendBeacon(where, text.value);
  });
  form.addEventListener("submit", async (event) => {
    if (sending) { event.preventDefault(); return; } // a second press sends nothing twice
    sending = true;
    clearTimeout(timer);
    if (busy) { // a draft under way must not come after the post and bring it back
      event.preventDefault();
      try { await busy; } catch { /* the post itself has the words */ }
      const pressed = document.createElement("input");
      pressed.type = "hidden";
      pressed.name = "do";
      pressed.value = event.submitter ? event.submitter.value : "send";
      form.append(pressed);
      form.submit();
    }
  });
  addEventListener("pageshow", () => { sending = false; });
  count();
  if (document.getElementById("wrong")) text.focus();
}

// -- reading aloud, when the learner chose it and this browser can
function readAloud() {
  const { read, say, hush } = document.body.dataset;
  if (read !== "yes" || !("speechSynthesis" in window)) return;
  for (const text of document.querySelectorAll("[data-say], h1 + .lead, .notice, #status")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet say";
    button.textContent = say;
    button.addEventListener("click", () => {
      const speaking = speechSynthesis.speaking;
      speechSynthesis.cancel();
      if (speaking) return;
      const words = new SpeechSynthesisUtterance(text.textContent);
      words.lang = document.documentElement.lang === "cy" ? "cy-GB" : "en-GB";
      words.onend = () => { button.textContent = say; };
      button.textContent = hush;
      speechSynthesis.speak(words);
    });
    text.after(button);
  }
}

// -- the length of a video, once it is known
function lengths() {
  for (const video of document.querySelectorAll(".frame video")) {
    const label = video.parentElement.querySelector(".length");
    const show = () => {
      if (!Number.isFinite(video.duration)) return;
      const seconds = Math.round(video.duration);
      label.textContent = Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
      label.hidden = false;
    };
    video.addEventListener("durationchange", show);
    show();
  }
}

liveStatus();
draft();
readAloud();
lengths();
