// The enrolment page looks again while it waits for a device or for the other administrator.
setInterval(async () => {
  const answer = await fetch(location.href, { redirect: "error" }).catch(() => null);
  if (!answer || !answer.ok) return;
  const text = await answer.text();
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const state = (page) => [...page.querySelectorAll("[data-enrolment]")].map((e) => e.dataset.enrolment + e.dataset.state).join();
  if (state(fresh) !== state(document)) location.reload();
}, 1500);
