// The setting: weights, what scores are divided by, stated confidence; where it comes from and where it goes.
const CATEGORIES = DATA.methodology?.category ?? [];
const IDS = DATA.organizations.map((organization) => organization.id);
const SETTING_FORMAT = "violencescore setting 1";
const RULE = { margin: DATA.decision.margin, extendWithin: DATA.decision.extend_within, errors: DATA.decision.errors };

/** The presets. Weights are taken as they are: to scale them would change no rank, but could break ties by rounding. */
function presets() {
  const published = DATA.draws.weights;
  const found = [
    { key: "published", text: () => t("weights.published"), weights: published },
    { key: "equal", text: () => t("weights.equal"), weights: published.map((w) => (w > 0 ? 1 : 0)) },
  ];
  const killings = published.map((w, c) => (CATEGORIES[c].element === "killing" ? w : 0));
  if (total(killings) > 0) found.push({ key: "killings", text: () => t("weights.killings"), weights: killings });
  (DATA.panel ?? []).forEach((row, i) => {
    found.push({ key: `panelist-${i}`, text: () => t("weights.panelist", { name: row.panelist_id }), weights: row.weights });
  });
  return found;
}

function publishedSetting() {
  return { weights: DATA.draws?.weights ?? [], per: DATA.decision.per, confidence: DATA.decision.confidence_required };
}

/** The figures as they were published: nothing here is computed. */
function publishedFigures() {
  const n = IDS.length, pairs = new Float64Array(n * n).fill(0.5), errors = new Float64Array(n * n);
  for (const row of DATA.pairwise) {
    const at = placeOf(row.organization_id) * n + placeOf(row.other_id);
    pairs[at] = row.p_greater;
    errors[at] = row.mcse;
  }
  const organizations = [], order = [];
  for (const row of DATA.ranking) {
    const k = placeOf(row.organization_id);
    order.push(k);
    organizations[k] = {
      k, id: row.organization_id, p: row.p_first, mcse: row.p_first_mcse, ranks: IDS.map((_, j) => row[`p_rank_${j + 1}`]),
      low: row.score_low, median: row.score_median, high: row.score_high, expected: row.expected_rank,
      rankLow: row.rank_low, rankHigh: row.rank_high,
    };
  }
  const leader = order.length ? order[0] : null, found = DATA.decision;
  const next = order[0] * n + order[1];
  const nextPair = order.length > 1 ? { p: pairs[next], mcse: errors[next] } : null;
  const summary = { order, leader, organizations, pairs, nextPair, standOut: found.p_stand_out };
  const verdict = {
    outcome: found.outcome, leader, standOut: found.p_stand_out, per: found.per, confidence: found.confidence_required,
    near: found.needs_more_draws, heldBack: found.held_back, set: found.smallest_set.map(placeOf),
  };
  return { setting: publishedSetting(), summary, verdict };
}

function computeFigures(setting) {
  const summary = summarize(app.sample, setting.weights, setting.per, RULE.margin, IDS);
  return { setting, summary, verdict: judgeSummary(summary, setting) };
}

function judgeSummary(summary, setting) {
  const obstacle = DATA.decision.outcome === "not_estimable" || summary.nothing === true;
  const cleared = judge(summary.standOut, setting.confidence, RULE.extendWithin, RULE.errors, obstacle);
  const heldBack = cleared === "selected" ? DATA.decision.held_back : null, outcome = heldBack ? DATA.decision.outcome : cleared;
  const near = (cleared === "extend" || cleared === "no_selection") && isNearLine(summary.standOut, setting.confidence, RULE.errors);
  const set = app.sample ? smallestSet({ ...app.summaryOf(summary) }, app.sample, setting.confidence, RULE.errors) : [];
  return { outcome, leader: summary.leader, standOut: summary.standOut, per: setting.per, confidence: setting.confidence, near, heldBack, set };
}

/** What only the draws tell (scores, shares of the first rank), for figures that were read and not computed. */
app.summaryOf = (summary) => {
  if (summary.scores) return summary;
  const { setting } = app.published, scores = weigh(app.sample, setting.weights, setting.per);
  return { ...summary, scores, share: countRanks(scores, app.sample).share };
};

const sameWeights = (a, b) => a.length === b.length && a.every((w, i) => w === b[i]);

/** Change the setting, and everything that follows from it; `anew`: sliders take a new scale. */
function apply(change, anew = false) {
  if (anew) app.most = 2 * Math.max(...(change.weights ?? app.setting.weights)) || 1;
  const setting = { ...app.setting, ...change }, published = app.published.setting;
  const asPublished = sameWeights(setting.weights, published.weights) && setting.per === published.per;
  const moved = !app.current || !sameWeights(setting.weights, app.setting.weights) || setting.per !== app.setting.per;
  app.setting = setting;
  app.isWhatIf = !(asPublished && setting.confidence === published.confidence);
  if (!app.isWhatIf) app.current = app.published;
  else if (asPublished) app.current = { setting, summary: app.published.summary, verdict: judgeSummary(app.published.summary, setting) };
  else if (moved) app.current = computeFigures(setting);
  else app.current = { setting, summary: app.current.summary, verdict: judgeSummary(app.current.summary, setting) };
  if (moved) scheduleFlips();
  refresh();
  scheduleAddress();
}

function refresh() {
  for (const listener of app.updates) listener(app.current, app.published);
}

// Carrying a setting

function fragment() {
  const parts = [];
  if (app.isWhatIf) {
    parts.push(`w=${app.setting.weights.join(";")}`, `per=${app.setting.per}`, `c=${app.setting.confidence}`);
  }
  if (app.language !== "en") parts.push(`lang=${app.language}`);
  return parts.join("&");
}

function readFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  const language = given.get("lang");
  const setting = readSetting({
    weights: given.get("w")?.split(";").map(Number), per: given.get("per"), confidence: Number(given.get("c")),
  });
  return { language: language === "es" || language === "en" ? language : null, setting };
}

/** A setting from outside, if it is one of this page. */
function readSetting({ weights, per, confidence }) {
  const right = Array.isArray(weights) && weights.length === CATEGORIES.length && weights.every((w) => Number.isFinite(w) && w >= 0);
  const known = per === "none" || (app.sample && per in app.sample.per);
  if (!right || !known || !(confidence > 0.5 && confidence < 1)) return null;
  return { weights, per, confidence };
}

let addressTimer = 0;
function scheduleAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    try { history.replaceState(null, "", `${location.pathname}${location.search}${fragment() ? `#${fragment()}` : ""}`); } catch { /* some browsers refuse it for files */ }
  }, 300);
}

function saveSetting() {
  const weights = Object.fromEntries(CATEGORIES.map((category, c) => [category.label, app.setting.weights[c]]));
  const { per, confidence } = app.setting;
  const content = { format: SETTING_FORMAT, methodology: DATA.methodology.sha256, per, confidence, weights };
  saveText("setting.json", JSON.stringify(content, null, 2) + "\n", "application/json");
}

async function loadSetting(file, say) {
  let setting = null;
  try {
    const content = JSON.parse(await file.text());
    if (content.format === SETTING_FORMAT) setting = readSetting({ ...content, weights: CATEGORIES.map(({ label }) => content.weights[label]) });
  } catch { /* said below */ }
  say(setting ? t("weights.loaded") : t("weights.bad"));
  if (setting) apply(setting, true);
}

// The controls

function weightsSection() {
  if (!app.sample) return null;
  const status = el("p", { class: "status", role: "status" });
  const say = (text) => setText(status, text);
  return section("weights", t("weights.title"),
    el("p", {}, t("weights.lead")), whatIfNote(), presetChoice(), perChoice(), sliders(),
    el("div", { class: "carry" }, el("h3", {}, t("weights.share")), carryButtons(say), status));
}

function whatIfNote() {
  const note = el("p", { class: "note" });
  onUpdate(() => setText(note, app.isWhatIf ? t("whatif.mark") : t("whatif.same")));
  const thinned = DATA.draws.step > 1 ? el("p", {}, t("whatif.thinned", { step: DATA.draws.step, n: integer(app.sample.size) })) : null;
  return el("div", {}, note, thinned);
}

function presetChoice() {
  const known = presets();
  const options = known.map((preset) => el("option", { value: preset.key }, preset.text()));
  const select = el("select", { id: "preset", onchange: () => {
    const chosen = known.find((preset) => preset.key === select.value);
    if (chosen) apply({ weights: chosen.weights }, true);
  } }, options, el("option", { value: "own" }, t("weights.own")));
  onUpdate(() => {
    select.value = known.find((preset) => sameWeights(preset.weights, app.setting.weights))?.key ?? "own";
  });
  const back = el("button", { type: "button", id: "back", onclick: () => apply(publishedSetting(), true) }, t("whatif.back"));
  onUpdate(() => { back.disabled = !app.isWhatIf; });
  return el("p", { class: "choice" }, el("label", { for: "preset" }, t("weights.preset")), select, back);
}

function perChoice() {
  const kinds = ["none", ...Object.keys(app.sample.per)];
  if (kinds.length === 1) return null;
  const select = el("select", { id: "per", onchange: () => apply({ per: select.value }) },
    kinds.map((kind) => el("option", { value: kind }, t(`weights.per.${kind}`))));
  onUpdate(() => { select.value = app.setting.per; });
  return el("p", { class: "choice" }, el("label", { for: "per" }, t("weights.per")), select);
}

function sliders() {
  const rows = CATEGORIES.map(slider);
  const nothing = el("p", { class: "caution" }, t("weights.zero"));
  onUpdate(() => { nothing.hidden = total(app.setting.weights) > 0; });
  return el("div", { class: "sliders" }, rows, nothing);
}

function slider(category, c) {
  const words = categoryWords(category), published = app.published.setting.weights[c];
  const set = (value) => {
    if (!Number.isFinite(value) || value < 0) return;
    apply({ weights: app.setting.weights.map((w, i) => (i === c ? value : w)) });
  };
  const range = el("input", { type: "range", id: `w${c}`, min: 0, max: app.most, step: "any", oninput: () => set(Number(range.value)) });
  const number = el("input", { type: "number", id: `n${c}`, min: 0, step: "any", "aria-label": t("weights.number", { category: words }),
    onchange: () => set(number.value === "" ? NaN : Number(number.value)) });
  const button = (sign, factor, label) => el("button", { type: "button", class: "quiet", "aria-label": t(label, { category: words }),
    onclick: () => set(factor * app.setting.weights[c]) }, sign);
  onUpdate(() => {
    const value = app.setting.weights[c];
    const most = Math.max(app.most, value);
    if (Number(range.max) !== most) range.max = most;
    if (Number(range.value) !== value) range.value = value;
    if (document.activeElement !== number || Number(number.value) !== value) number.value = String(Number(value.toPrecision(6)));
    range.setAttribute("aria-valuetext", general(value));
    number.classList.toggle("moved", value !== published);
  });
  return el("div", { class: "slider" }, el("label", { for: `w${c}` }, words), range, number,
    button("×2", 2, "weights.twice"), button("½", 0.5, "weights.half"));
}

function carryButtons(say) {
  const file = el("input", { type: "file", id: "setting-file", accept: ".json,application/json", class: "hidden-file",
    onchange: () => { if (file.files.length) loadSetting(file.files[0], say); file.value = ""; } });
  const copy = async () => {
    const address = `${location.href.split("#")[0]}#${fragment()}`;
    try { await navigator.clipboard.writeText(address); say(t("weights.copied")); } catch { location.hash = fragment(); say(t("weights.copyBy")); }
  };
  return el("p", { class: "choice" },
    el("button", { type: "button", onclick: copy }, t("weights.copy")),
    el("button", { type: "button", id: "save-setting", onclick: saveSetting }, t("weights.save")),
    el("label", { class: "file" }, t("weights.load"), file));
}
