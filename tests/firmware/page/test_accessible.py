"""WCAG 2.2 AA as far as a browser can measure it, on every page, in every colour scheme and both languages."""

import pytest

CHECK = """() => {
  const wrong = [];
  const seen = (e) => e.getClientRects().length && getComputedStyle(e).visibility !== "hidden"
    && !e.closest("[hidden]");
  const name = (e) => (e.getAttribute("aria-label") || (e.labels && [...e.labels].map(l => l.textContent).join(" "))
    || e.getAttribute("alt") || e.innerText || "").trim();
  if (!document.documentElement.lang) wrong.push("no language");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  for (const part of ["main", "body > header", "body > footer"])
    if (document.querySelectorAll(part).length !== 1) wrong.push("not one " + part);
  let level = 0;
  for (const h of document.querySelectorAll("h1,h2,h3,h4")) {
    if (+h.tagName[1] > level + 1) wrong.push("heading jumps at " + h.innerText);
    level = +h.tagName[1];
  }
  const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id twice");
  for (const e of document.querySelectorAll("[aria-describedby]"))
    for (const id of e.getAttribute("aria-describedby").split(" "))
      if (!document.getElementById(id)) wrong.push("describedby " + id);
  for (const e of document.querySelectorAll("a,button,input:not([type=hidden]),textarea,video,progress"))
    if (seen(e) && !name(e)) wrong.push("no name: " + e.outerHTML.slice(0, 80));
  for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) wrong.push("no alt: " + e.src);
  for (const e of document.querySelectorAll("a,button,textarea,input[type=text],input[type=file],.choice")) {
    const box = e.getBoundingClientRect();
    if (seen(e) && !e.closest(".skip") && (box.height < 43.5 || box.width < 43.5))
      wrong.push("small target " + box.width + "x" + box.height + ": " + e.outerHTML.slice(0, 80));
  }
  if (document.documentElement.scrollWidth > innerWidth + 1) wrong.push("scrolls sideways");
  const parse = (c) => { const n = c.match(/[\\d.]+/g).map(Number); return n.length === 3 ? [...n, 1] : n; };
  const light = (c) => [0, 1, 2].map(i => c[i] / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] === 1) return c;
    }
    return [255, 255, 255, 1];
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    const e = node.parentElement;
    if (!node.textContent.trim() || !seen(e) || e.closest("script,style,.stage,noscript")) continue;
    const got = ratio(parse(getComputedStyle(e).color), behind(e));
    if (got < 4.5) wrong.push("contrast " + got.toFixed(2) + ": " + node.textContent.trim().slice(0, 40));
  }
  for (const e of document.querySelectorAll("textarea,input[type=text],.choice,.dot")) {
    const style = getComputedStyle(e);
    if (seen(e) && ratio(parse(style.borderTopColor), behind(e.parentElement)) < 3)
      wrong.push("edge of " + e.className + e.id);
  }
  return wrong;
}"""


@pytest.fixture
def paths(cell):
    root = cell.receive("A day by the sea\nWe had chips on the wall.")
    cell.receive("So did we.", parent=root)
    cell.device.write_post("reading", root, "And the gulls.")
    back = cell.device.write_post("reading", None, "Ring my brother\non 0770 900 123")
    cell.send_back(back, 1, "Take the number out.")
    return ["/", "/groups", "/group/reading", "/thread/" + root.hex(), "/write?group=reading", "/waiting?saved=1",
            "/record?to=" + root.hex(), "/back", "/appeal/" + back.hex(), "/recorded", "/settings?saved=1", "/help",
            "/none"]


@pytest.mark.parametrize(("colour", "language", "size", "width"), [
    ("light", "en", "m", 1024), ("cream", "cy", "l", 800), ("dark", "en", "xl", 800), ("dark", "cy", "m", 320),
    ("light", "cy", "xl", 480),
])
def test_every_page_has_names_landmarks_headings_contrast_and_large_targets(
    cell, site, chromium, paths, colour, language, size, width
):
    assert cell.device.status()["state"] == "idle"
    context = chromium.new_context(viewport={"width": width, "height": 640})
    tab = context.new_page()
    tab.goto(site.url + "/settings")
    for control in ("colour-" + colour, "language-" + language, "size-" + size, "space-w", "read-yes"):
        tab.check("#" + control)
    tab.click("#settings-save")
    tab.wait_for_url("**/settings?saved=1")
    titles = set()
    for path in paths:
        tab.goto(site.url + path)
        assert tab.evaluate(CHECK) == [], (path, colour, language, size, width)
        titles.add(tab.title())
    assert len(titles) == len(paths)
    context.close()


def test_nothing_moves_for_who_asked_for_stillness(chromium, site):
    context = chromium.new_context(reduced_motion="reduce")
    tab = context.new_page()
    tab.goto(site.url + "/record?group=reading")
    moving = tab.evaluate(
        "() => [...document.querySelectorAll('*')].filter(e => getComputedStyle(e).animationName !== 'none').length"
    )
    assert moving == 0
    context.close()
