// The whole page: its parts in order, built anew when the language changes, updated in place when the setting does.

/** Every section of the page, in order; one that has nothing to show builds nothing. */
const SECTIONS = [verdictSection, weightsSection, ranksSection, robustSection, evidenceSection, trustSection, verifySection, formSection];

function build() {
  app.updates = [];
  document.documentElement.lang = app.language;
  const main = el("main", { id: "main" }, SECTIONS.map((make) => make()));
  document.getElementById("page").replaceChildren(
    el("a", { class: "skip", href: "#verdict-title", onclick: goTo("verdict-title") }, t("skip")), header(), statusBar(), contents(main), main);
  measure();
  refresh();
}

function header() {
  const { methodology } = DATA;
  const language = (code) => el("button", { type: "button", lang: code, "aria-pressed": String(app.language === code), onclick: () => speak(code) }, TEXTS.language[code]);
  const window_ = methodology?.window ? el("p", { class: "muted" }, t("windowFromTo", methodology.window)) : null;
  const notes = [];
  if (DATA.fictional) notes.push(t("fictional"));
  if (DATA.publication.rehearsal) notes.push(phrase("rehearsal", {}));
  if (DATA.publication.preliminary) notes.push(phrase("preliminary", { published: DATA.publication.published_at.slice(0, 10), end: methodology.window.end }));
  return el("header", {},
    notes.map((note) => el("p", { class: "fictional", role: "note" }, note)),
    el("div", { class: "tools-top" },
      el("div", { role: "group", "aria-label": t("languageLabel") }, language("en"), language("es")),
      el("button", { type: "button", onclick: () => print() }, t("print"))),
    el("h1", {}, bdi(DATA.title)), window_);
}

function contents(main) {
  const links = [...main.children].map((part) => el("li", {}, el("a", { href: `#${part.id}-title`, onclick: goTo(`${part.id}-title`) }, part.querySelector("h2").textContent)));
  return el("nav", { "aria-label": t("contents") }, el("ul", {}, links));
}

/** Go to a heading without touching the address, which carries the setting. */
function goTo(id) {
  return (event) => {
    event.preventDefault();
    const heading = document.getElementById(id);
    heading.scrollIntoView();
    heading.focus({ preventScroll: true });
  };
}

function speak(language) {
  app.language = language;
  build();
  document.querySelector(`button[lang="${language}"]`).focus();
  scheduleAddress();
}

/** Charts are as wide as the text beside them. */
function measure() {
  const { clientWidth } = document.querySelector("#verdict");
  app.width = Math.round(Math.min(Math.max(clientWidth, 300), 720));
}

function start() {
  if (DATA.draws) app.sample = decodeSample(DATA.draws, IDS.length);
  app.published = publishedFigures();
  app.setting = app.published.setting;
  app.current = app.published;
  app.isWhatIf = false;
  app.most = 2 * Math.max(...app.setting.weights) || 1;
  const given = readFragment();
  app.language = given.language ?? (navigator.language?.startsWith("es") ? "es" : "en");
  build();
  if (given.setting) apply(given.setting, true);
  scheduleFlips();
  addEventListener("resize", () => { const before = app.width; measure(); if (app.width !== before) refresh(); });
  addEventListener("hashchange", () => {
    const moved = readFragment();
    if (moved.language && moved.language !== app.language) speak(moved.language);
    if (moved.setting) apply(moved.setting, true);
  });
  addEventListener("beforeprint", () => document.querySelectorAll("figure details").forEach((details) => { details.open = true; }));
}

start();
