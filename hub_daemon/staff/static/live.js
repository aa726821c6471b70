// Start, Queue and Bays look again every five seconds, unless somebody is typing or choosing in them.
const main = document.getElementById("main-content");
setInterval(async () => {
  const at = document.activeElement;
  if (document.hidden || (at && main.contains(at))) return;
  const answer = await fetch(location.href, { redirect: "error" }).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main-content");
  if (!fresh || fresh.textContent === main.textContent || main.contains(document.activeElement)) return;
  main.replaceChildren(...fresh.childNodes);
  main.dataset.refreshed = "yes";
}, 5000);
