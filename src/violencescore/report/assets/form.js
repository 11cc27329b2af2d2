// A form for one panelist: swing weights, saved as the file that `violencescore weights combine` reads.

function formSection() {
  if (CATEGORIES.length < 2) return null;
  const who = el("input", { type: "text", id: "panelist", maxlength: 100, autocomplete: "off" });
  const rows = CATEGORIES.map(formRow);
  const status = el("p", { class: "status", role: "status" });
  const say = (text) => setText(status, text);
  const table = el("table", { class: "form" }, el("caption", {}, t("form.caption")),
    el("thead", {}, el("tr", {}, [t("flips.category"), t("form.units"), t("form.points")].map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, rows.map((row) => row.node)));
  const buttons = el("p", { class: "choice" },
    app.sample ? el("button", { type: "button", onclick: () => takeSliders(rows) }, t("form.take")) : null,
    app.sample ? el("button", { type: "button", onclick: () => showOnSliders(rows, say) }, t("form.show")) : null,
    el("button", { type: "button", id: "save-form", class: "main", onclick: () => saveForm(who.value.trim(), rows, say) }, t("form.save")));
  return section("form", t("form.title"), el("p", {}, t("form.lead")),
    el("p", { class: "choice" }, el("label", { for: "panelist" }, t("form.who")), who),
    el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": t("form.caption") }, table), buttons, status);
}

function formRow(category, c) {
  const words = categoryWords(category);
  const units = el("input", { type: "number", id: `u${c}`, min: 0, step: "any", value: 1, "aria-label": t("form.unitsOf", { category: words }) });
  const points = el("input", { type: "number", id: `p${c}`, min: 0, max: 100, step: "any", "aria-label": t("form.pointsOf", { category: words }) });
  const node = el("tr", {}, el("th", { scope: "row" }, words), el("td", {}, units), el("td", {}, points));
  return { category, words, node, units, points };
}

/** What is wrong with the answers; nothing where they can be saved. */
function formFault(rows) {
  for (const { words, units, points } of rows) {
    if (!(Number(units.value) > 0)) return t("form.noUnits", { category: words });
    if (points.value === "" || !(Number(points.value) >= 0 && Number(points.value) <= 100)) return t("form.noPoints", { category: words });
  }
  const most = Math.max(...rows.map((row) => Number(row.points.value)));
  return most === 100 ? "" : t("form.noHundred", { most: general(most) });
}

/** Digits as the reader of forms takes them: no exponent, at most twelve decimals. */
const plainNumber = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(12).replace(/0+$/, "").replace(/\.$/, ""));

function saveForm(panelist, rows, say) {
  const fault = panelist === "" ? t("form.noName") : formFault(rows);
  if (fault) { say(fault); return; }
  const head = ["panelist_id", "element", "victim_role", "units", "question", "swing_points"];
  const lines = rows.map(({ category, words, units, points }) => [
    panelist, category.element, category.victim_role ?? "", plainNumber(Number(units.value)),
    t("form.question", { n: plainNumber(Number(units.value)), category: words }), plainNumber(Number(points.value)),
  ]);
  const file = `${panelist.replace(/[^\p{L}\p{N}_-]+/gu, "-").slice(0, 60) || "panelist"}.csv`;
  saveText(file, csvText(head, lines), "text/csv");
  say(t("form.saved", { file }));
}

function takeSliders(rows) {
  const per = app.setting.weights.map((w, c) => w * (Number(rows[c].units.value) || 1)), most = Math.max(...per);
  rows.forEach((row, c) => { row.points.value = most > 0 ? Number(((100 * per[c]) / most).toPrecision(4)) : 0; });
}

/** The weights that the answers stand for, in the scale of the published ones. */
function showOnSliders(rows, say) {
  const fault = formFault(rows);
  if (fault) { say(fault); return; }
  const weights = rows.map((row) => Number(row.points.value) / Number(row.units.value)), scale = total(app.published.setting.weights) / total(weights);
  say("");
  apply({ weights: weights.map((w) => w * scale) }, true);
}
