// The item's page: the player, the keys, what the learner will read, and keeping the item while one is at it.
const page = document.getElementById("item");
const video = document.getElementById("video");
const answer = document.getElementById("answer");

// player
const sheet = document.getElementById("open-video");
const playButton = document.getElementById("play");

function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return Math.floor(whole / 60) + ":" + String(whole % 60).padStart(2, "0");
}

function toggle() {
  if (!video) return;
  if (video.hidden) {
    video.hidden = false;
    sheet.hidden = true;
    drawWave();
  }
  if (video.paused) video.play(); else video.pause();
}

function setSpeed(speed) {
  video.playbackRate = speed;
  for (const button of document.querySelectorAll(".perch-speed")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === speed));
  }
}

async function drawWave() {
  const canvas = document.getElementById("wave");
  const draw = canvas.getContext("2d");
  try {
    const bytes = await (await fetch(video.src)).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(bytes);
    const samples = sound.getChannelData(0);
    const step = Math.max(1, Math.floor(samples.length / canvas.width));
    const half = canvas.height / 2;
    draw.fillStyle = "#1d70b8";
    for (let x = 0; x < canvas.width; x += 1) {
      let peak = 0;
      for (let i = x * step; i < (x + 1) * step && i < samples.length; i += 1) peak = Math.max(peak, Math.abs(samples[i]));
      const height = Math.max(1, Math.min(1, peak * 1.6) * half);
      draw.fillRect(x, half - height, 1, 2 * height);
    }
    canvas.hidden = false;
    canvas.dataset.state = "drawn";
  } catch {
    canvas.dataset.state = "silent"; // no sound in it, or none that can be read
  }
}

if (video) {
  sheet.addEventListener("click", toggle);
  playButton.addEventListener("click", toggle);
  video.addEventListener("play", () => { playButton.textContent = "Pause"; });
  video.addEventListener("pause", () => { playButton.textContent = "Play"; });
  video.addEventListener("timeupdate", () => {
    const end = Number.isFinite(video.duration) ? " of " + clockText(video.duration) : "";
    document.getElementById("clock").textContent = clockText(video.currentTime) + end;
  });
  for (const button of document.querySelectorAll(".perch-speed")) {
    button.addEventListener("click", () => setSpeed(Number(button.dataset.speed)));
  }
  const sound = document.getElementById("sound");
  sound.addEventListener("click", () => {
    video.muted = !video.muted;
    sound.setAttribute("aria-pressed", String(!video.muted));
  });
  const colour = document.getElementById("colour");
  colour.addEventListener("click", () => {
    const grey = video.classList.toggle("perch-grey");
    document.getElementById("sheet").classList.toggle("perch-grey", grey);
    colour.setAttribute("aria-pressed", String(!grey));
  });
}

// what the learner will read
function preview() {
  const chosen = answer.querySelector("input[name=reason]:checked");
  const box = document.getElementById("preview");
  if (!chosen) { box.hidden = true; return; }
  const language = answer.querySelector("input[name=language]:checked").value;
  const own = document.getElementById("words").value.trim();
  const appeal = language === "cy" ? box.dataset.appealCy : box.dataset.appealEn;
  box.lang = language;
  box.textContent = [language === "cy" ? chosen.dataset.cy : chosen.dataset.en, own, appeal].filter(Boolean).join("\n");
  box.hidden = false;
}

if (answer) {
  answer.addEventListener("input", preview);
  answer.addEventListener("change", preview);
}

// keys: not while one types
function answerWith(id) {
  const chosen = answer.querySelector("input[name=reason]:checked");
  if (!chosen) { document.getElementById("reason-1").focus(); return; }
  document.getElementById(id).click();
}

const keysBox = document.getElementById("keys");
if (keysBox) {
  keysBox.checked = localStorage.getItem("perch-keys") !== "off";
  keysBox.addEventListener("change", () => localStorage.setItem("perch-keys", keysBox.checked ? "on" : "off"));
}

document.addEventListener("keydown", (event) => {
  if (keysBox && !keysBox.checked) return;
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const typing = event.target.closest("textarea, select, input:not([type=radio]):not([type=checkbox])");
  if (typing) { if (event.key === "Escape") event.target.blur(); return; }
  const key = event.key.toLowerCase();
  const act = {
    a: () => document.getElementById("approve").click(),
    r: () => answerWith("return"),
    j: () => answerWith("reject"),
    s: () => document.getElementById("safeguard").click(),
    "[": () => video && setSpeed(Math.max(1, video.playbackRate - 0.5)),
    "]": () => video && setSpeed(Math.min(2, video.playbackRate + 0.5)),
  }[key];
  if (key === " " && video && !event.target.closest("button, a, summary, input")) { event.preventDefault(); toggle(); return; }
  if (/^[1-9]$/.test(key) && answer) {
    const radio = document.getElementById("reason-" + key);
    if (radio) { event.preventDefault(); radio.checked = true; radio.focus(); preview(); }
    return;
  }
  if (act && page.dataset.held === "yes") { event.preventDefault(); act(); }
});

// activity keeps the item: at most one small message a minute
let active = false;
for (const kind of ["keydown", "pointerdown", "pointermove", "scroll"]) {
  document.addEventListener(kind, () => { active = true; }, { passive: true });
}
if (page.dataset.held === "yes") {
  setInterval(() => {
    if (!active && (!video || video.paused)) return;
    active = false;
    const token = document.querySelector("input[name=csrfmiddlewaretoken]").value;
    fetch(`/item/${page.dataset.item}/renew`, {
      method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams({ csrfmiddlewaretoken: token }),
    }).catch(() => {});
  }, 60000);
}

page.dataset.ready = "yes"; // keys work from here on
