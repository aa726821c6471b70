// Record, look, keep: the recording stays in the browser until it is kept, then goes to the device in slices.
"use strict";

{
  const box = document.getElementById("recorder");
  const words = box.dataset;
  const part = (id) => document.getElementById(id);
  const self = part("self"), look = part("look"), say = part("say"), big = part("big"), ring = part("ring");
  const bar = part("save-bar"), live = part("live"), file = part("record-file");
  const buttons = { start: part("record-start"), stop: part("record-stop"), keep: part("record-keep"), again: part("record-again") };
  const shown = { start: ["start"], go: [], on: ["stop"], look: ["keep", "again"], saving: [], failed: ["keep", "again"] };
  const secondsMax = Number(words.seconds);
  let stream = null, recorder = null, video = null;

  function phase(name, text, focus) {
    words.phase = name;
    say.textContent = text;
    for (const key of Object.keys(buttons)) buttons[key].hidden = !shown[name].includes(key);
    self.hidden = !["start", "go", "on"].includes(name);
    look.hidden = !self.hidden;
    bar.hidden = name !== "saving";
    file.disabled = ["go", "on", "saving"].includes(name);
    if (focus) buttons[focus].focus();
  }

  function cameraOff() {
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null;
    self.srcObject = null;
    live.hidden = true;
    big.textContent = "";
  }

  async function cameraOn() {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 320 }, height: { ideal: 240 }, frameRate: { ideal: 15, max: 15 } },
      audio: { channelCount: 1, noiseSuppression: true },
    });
    self.srcObject = stream;
    live.hidden = false; // nothing is seen or heard without this sign
    await self.play();
  }

  function bestType() {
    const wanted = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];
    return wanted.find((type) => MediaRecorder.isTypeSupported(type)) || "";
  }

  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  async function start() {
    phase("go", words.go);
    box.scrollIntoView({ block: "start" }); // oneself and the stop button on the screen together
    try {
      await cameraOn();
    } catch {
      cameraOff();
      phase("start", words.nocamera);
      file.focus();
      return;
    }
    for (const number of [3, 2, 1]) {
      big.textContent = number;
      say.textContent = words.go + " " + number;
      await wait(1000);
      if (!stream) return;
    }
    record();
  }

  function record() {
    const pieces = [];
    const type = bestType();
    recorder = new MediaRecorder(stream, { mimeType: type || undefined, videoBitsPerSecond: 230000, audioBitsPerSecond: 32000 });
    recorder.addEventListener("dataavailable", (event) => { if (event.data.size) pieces.push(event.data); });
    recorder.addEventListener("stop", () => {
      cameraOff();
      const made = new Blob(pieces, { type: (recorder.mimeType || type).split(";")[0] });
      recorder = null;
      take(made);
    });
    recorder.start(1000);
    const began = performance.now();
    phase("on", words.on, "stop");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    (function fill() {
      if (!recorder || recorder.state !== "recording") return;
      const seconds = (performance.now() - began) / 1000;
      const left = Math.max(0, Math.ceil(secondsMax - seconds));
      ring.setAttribute("stroke-dasharray", Math.min(100, 100 * seconds / secondsMax) + " 100");
      if (big.textContent !== String(left)) {
        big.textContent = left;
        if (left === 10 || left === 5) say.textContent = words.left.replace("{left}", left);
      }
      if (seconds >= secondsMax) recorder.stop();
      else if (still) setTimeout(fill, 1000);
      else requestAnimationFrame(fill);
    })();
  }

  function take(made) {
    if (look.src) URL.revokeObjectURL(look.src);
    look.removeAttribute("src");
    video = null;
    if (!made.size) { phase("start", words.empty, "start"); return; }
    if (made.size > Number(words.max)) { phase("start", words.toobig, "start"); return; }
    if (!made.type.startsWith("video/")) { phase("start", words.notvideo, "start"); return; }
    video = made;
    look.src = URL.createObjectURL(made);
    phase("look", words.look, "keep");
  }

  async function ask(path, body) { // tries again: a slice that came twice is taken once
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await fetch(path, { method: "POST", body });
        if (answer.status < 500) return { status: answer.status, ...(await answer.json()) };
      } catch { /* no answer: again */ }
      if (tries === 5) throw new Error("no answer");
      await wait(200 * 2 ** tries);
    }
  }

  async function send() {
    const form = new URLSearchParams({ group: words.group, to: words.to, text: part("text").value, type: video.type });
    const begun = await ask("/record/begin", form);
    if (!begun.draft) throw new Error(begun.refused);
    const base = "/record/" + begun.draft;
    let at = 0;
    while (at < video.size) {
      const slice = await video.slice(at, at + begun.slice).arrayBuffer();
      const answer = await ask(base + "/append?offset=" + at, slice);
      if (answer.size === undefined) throw new Error(answer.refused);
      at = answer.size; // where the device is, whatever we thought
      bar.value = at / video.size;
    }
    const saved = await ask(base + "/save", "");
    if (!saved.item) throw new Error(saved.refused);
    return saved.item;
  }

  async function keep() {
    look.pause();
    bar.value = 0;
    phase("saving", words.saving);
    try {
      const item = await send();
      video = null;
      location.assign("/waiting?saved=" + item);
    } catch (error) {
      words.refused = error.message;
      phase("failed", words.failed, "keep");
    }
  }

  buttons.start.addEventListener("click", start);
  buttons.stop.addEventListener("click", () => recorder && recorder.state === "recording" && recorder.stop());
  buttons.keep.addEventListener("click", keep);
  buttons.again.addEventListener("click", () => { take(new Blob([])); file.value = ""; phase("start", words.ready, "start"); });
  file.addEventListener("change", () => { if (file.files[0]) take(file.files[0]); });
  addEventListener("pagehide", cameraOff);
  addEventListener("beforeunload", (event) => { if (video) event.preventDefault(); });
  const able = navigator.mediaDevices && navigator.mediaDevices.getUserMedia && window.MediaRecorder;
  phase("start", able ? words.ready : words.nocamera);
  if (!able) buttons.start.hidden = true;
}
