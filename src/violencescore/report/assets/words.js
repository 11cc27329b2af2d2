// The page's state, and its words in the language chosen.
const DATA = JSON.parse(document.getElementById("data").textContent);

const app = { language: "en", width: 640, updates: [], setting: null, sample: null, published: null, current: null };

const onUpdate = (listener) => { app.updates.push(listener); };

/** A text of the page, its braces filled in. */
function t(key, values = {}) {
  return fill(TEXTS[key][app.language], values);
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, slot) => (slot in values ? String(values[slot]) : whole));

/** A sentence of the announcement (publication/phrases.py). */
const phrase = (kind, values) => fill(DATA.phrases[kind][app.language], values);

const word = (key, values = {}) => fill(DATA.words[key][app.language], values);

/** Words that the package writes in English: known ones are translated, others stay as they are. */
function tr(english) {
  return app.language !== "en" && TEXTS.translations[english] ? TEXTS.translations[english] : english;
}

/** What a scenario changes: each part begins with known words, and goes on with names and numbers. */
function trParts(english) {
  if (app.language === "en") return english;
  return english.split("; ").map((part) => {
    const known = Object.keys(TEXTS.beginnings).find((beginning) => part.startsWith(beginning));
    return known ? TEXTS.beginnings[known] + part.slice(known.length).replace(" in window", " en el periodo").replace(" in baseline", " antes") : tr(part);
  }).join("; ");
}

const known = (group, name) => TEXTS[group][name]?.[app.language] ?? name.replaceAll("_", " ");

const elementWord = (name) => known("elements", name);
const roleWord = (name) => (name ? known("roles", name) : t("anyVictim"));
const channelWord = (name) => known("channels", name);
const categoryWords = ({ element, victim_role: role }) => (role ? `${elementWord(element)}: ${roleWord(role)}` : elementWord(element));

const nameOf = (k) => (k === null ? MISSING : DATA.organizations[k].name);
const placeOf = (id) => DATA.organizations.findIndex((organization) => organization.id === id);

const shortWorlds = ({ word: kind, count, n }) => t(`worlds.${kind}`, { count: typeof count === "number" ? integer(count) : count, n: integer(n) });

/** What an organization is said to have been, by estimand, denominator and margin. */
function claimWords(per, margin) {
  const lead = margin > 0 ? t("byMargin", { margin: percent(margin) }) : "";
  return t(`claim.${DATA.decision.estimand}.${per}`) + lead;
}

/** The verdict in one or two sentences, with natural frequencies: as `verdict_sentence` of the package. */
function verdictSentence(verdict) {
  const { outcome, leader, standOut: found, per, confidence, near, heldBack } = verdict;
  if (leader === null) return t("verdict.nobody");
  if (outcome === "not_estimable") return t("verdict.not_estimable");
  const [reached, required] = worldsAgainst(found.p, found.mcse, confidence).map(shortWorlds);
  const values = { name: nameOf(leader), claim: claimWords(per, DATA.decision.margin), reached, required };
  if (heldBack) return t(`verdict.${outcome}.${heldBack}`, values);
  return t(`verdict.${near ? "near" : outcome}`, values);
}

/** Why, in sentences: the runner-up, the smallest set, the rule. */
function reasonSentences(verdict, summary) {
  if (verdict.leader === null || verdict.outcome === "not_estimable") return [];
  const found = [];
  const [first, second] = summary.order;
  if (second !== undefined) {
    const of = DATA.organizations.length;
    found.push(phrase("pair", { name: nameOf(first), other: nameOf(second), ...shown(summary.nextPair) }));
    const own = summary.organizations[second];
    found.push(t("runnerUp", { name: nameOf(second), claim: claimWords(verdict.per, 0), ...shown(own) }));
    const names = verdict.set.map(nameOf).join(", ");
    found.push(phrase("smallest_set", { required: shortNumber(verdict.confidence), n: verdict.set.length, total: of, names }));
  }
  return found;
}

const shown = ({ p, mcse }) => ({ p: formatProbability(p, mcse), error: errorText(mcse) });
const plusMinus = (p, mcse) => ({ text: formatProbability(p, mcse), value: p, small: `±\u00a0${errorText(mcse)}` });
