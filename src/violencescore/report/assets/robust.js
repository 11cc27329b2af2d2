// What would change our mind: another confidence, another weight, another panelist, other assumptions.

/** The parts of this section, in order; whatever else tests the verdict is added here. */
const ROBUSTNESS = [confidencePart, flipsPart, panelPart, scenariosPart, passportPart];

function robustSection() {
  if (!IDS.length || DATA.decision.outcome === "not_estimable") return null;
  return section("robust", t("robust.title"), ROBUSTNESS.map((build) => build()));
}

// Stated confidence

/** Stretches of stated confidence with one outcome each, from 0.5 to 1. */
function stretches({ verdict }) {
  const found = [];
  for (let i = 501; i < 1000; i++) {
    const c = i / 1000, cleared = judge(verdict.standOut, c, RULE.extendWithin, RULE.errors, verdict.outcome === "not_estimable");
    const outcome = cleared === "selected" && DATA.decision.held_back ? DATA.decision.outcome : cleared;
    const last = found[found.length - 1];
    if (last && last.outcome === outcome) last.to = c;
    else found.push({ outcome, from: i === 501 ? 0.5 : c, to: c });
  }
  if (found.length) found[found.length - 1].to = 1;
  return found;
}

function confidencePart() {
  const range = el("input", { type: "range", id: "confidence", min: 0.51, max: 0.999, step: 0.001,
    oninput: () => apply({ confidence: Number(range.value) }) });
  const said = el("p", { id: "confidence-verdict", "aria-live": "polite" });
  onUpdate((current) => {
    if (Number(range.value) !== app.setting.confidence) range.value = app.setting.confidence;
    range.setAttribute("aria-valuetext", percent(app.setting.confidence));
    setText(said, t("confidence.at", { c: percent(app.setting.confidence), verdict: verdictSentence(current.verdict) }));
  });
  const control = el("p", { class: "choice" }, el("label", { for: "confidence" }, t("confidence.label")), range);
  return [el("h3", {}, t("confidence.title")), control, said, confidenceChart()];
}

function confidenceChart() {
  const fills = { selected: BLUE, extend: MID, no_selection: PALE, not_estimable: "#ffffff" };
  const scale = d3.scaleLinear([0.5, 1], [0, 1]);
  return makeChart("by-confidence", t("confidence.title"), {
    draw: (svg, width) => {
      scale.range([14, width - 20]);
      const parts = stretches(app.current), bottom = 62;
      part(svg, "stretches", parts, "rect").put("x", (d) => scale(d.from)).put("width", (d) => Math.max(scale(d.to) - scale(d.from), 1))
        .put("y", 22).put("height", 36).put("fill", (d) => fills[d.outcome]).put("stroke", MUTED).put("stroke-width", 0.6);
      const wide = parts.filter((d) => scale(d.to) - scale(d.from) > 80);
      part(svg, "stretch-text", wide, "text").put("x", (d) => (scale(d.from) + scale(d.to)) / 2).put("y", 45).put("text-anchor", "middle")
        .put("fill", (d) => (d.outcome === "selected" ? "#ffffff" : INK)).say((d) => t(`short.${d.outcome}`));
      const at = scale(app.setting.confidence);
      part(svg, "line", ["#ffffff", INK], "path").put("d", `M${at} 16V${bottom}`).put("stroke", (d) => d).put("stroke-width", (_, i) => (i ? 2.5 : 6));
      part(svg, "line-text", [at], "text").put("x", at).put("y", 12).put("fill", INK).put("font-size", 12)
        .put("text-anchor", at > 0.8 * width ? "end" : "middle").say(t("required", { required: percent(app.setting.confidence) }));
      drawAxis(svg, "axis", scale, bottom, 5, (p) => general(p));
      return bottom + 28;
    },
    head: () => [t("confidence.from"), t("confidence.to"), t("outcomeHead")],
    rows: () => stretches(app.current).map((d) => [general(d.from), { text: general(d.to), value: d.to }, t(`short.${d.outcome}`)]),
    tableCaption: t("confidence.title"),
    conclude: () => {
      const required = percent(app.published.setting.confidence), named = stretches(app.current).find((d) => d.outcome === "selected");
      if (!named) return t("confidence.never", { required });
      return t("confidence.conclude", { name: nameOf(app.current.verdict.leader), limit: percent(named.to), required });
    },
  });
}

// How far must a weight move

let flipsTimer = 0;
app.flips = null;
app.flipListeners = [];

/** Searched after the page has been drawn, one category at a time, so that sliders never wait. */
function scheduleFlips() {
  clearTimeout(flipsTimer);
  if (!app.sample) return;
  app.flips = CATEGORIES.map(() => null);
  const { weights, per } = app.setting, { leader } = app.current.summary;
  let c = 0;
  const next = () => {
    if (total(weights) > 0) app.flips[c] = findFlips(app.sample, weights, per, c, leader);
    c += 1;
    if (c < CATEGORIES.length) flipsTimer = setTimeout(next, 0);
    else for (const listener of app.flipListeners) listener();
  };
  flipsTimer = setTimeout(next, 250);
}

const timesText = (now, weight) => (now > 0 ? t("flips.times", { n: general(Number((weight / now).toPrecision(3))) }) : t("flips.fromZero"));

function flipsPart() {
  if (!app.sample) return null;
  const said = el("p", { id: "flips-conclusion" }), table = makeTable(t("flips.caption"), [], 1);
  const cell = (now, flip) => {
    if (flip === null) return t("flips.never");
    const small = t("flips.first", { name: nameOf(flip.leader) });
    if (flip.weight === Infinity) return { text: t("flips.alone"), small };
    return { text: general(Number(flip.weight.toPrecision(4))), value: flip.weight, small: `${now > 0 && flip.weight > 0 ? `${timesText(now, flip.weight)}, ` : ""}${small}` };
  };
  const show = () => {
    const done = app.flips && app.flips.every((flip) => flip !== null);
    setText(said, done ? flipsConclusion() : t("flips.wait"));
    const rows = CATEGORIES.map((category, c) => {
      const now = app.setting.weights[c], flip = app.flips?.[c];
      return [categoryWords(category), { text: general(now), value: now }, flip ? cell(now, flip.down) : "…", flip ? cell(now, flip.up) : "…"];
    });
    table.update(rows, [t("flips.category"), t("flips.now"), t("flips.down"), t("flips.up")]);
  };
  app.flipListeners = [show];
  onUpdate(show);
  return [el("h3", {}, t("flips.title")), said, table.node];
}

function flipsConclusion() {
  const found = app.flips.flatMap((flip, c) => [flip.down, flip.up].filter((end) => end && end.weight !== Infinity)
    .map((end) => ({ c, ...end, distance: distance(app.setting.weights[c], end.weight) })));
  if (!found.length) return t("flips.conclude.none");
  const nearest = found.reduce((a, b) => (b.distance < a.distance ? b : a)), now = app.setting.weights[nearest.c];
  return t("flips.conclude.some", { category: categoryWords(CATEGORIES[nearest.c]), now: general(now),
    to: general(Number(nearest.weight.toPrecision(4))), times: timesText(now, nearest.weight), name: nameOf(nearest.leader) });
}

/** How far a weight moves, as a ratio; from or to nothing it is farther than any. */
const distance = (from, to) => (from > 0 && to > 0 ? Math.abs(Math.log(to / from)) : 1e6 + Math.abs(to - from));

// The panel, one by one

function panelPart() {
  const rows = DATA.panel, leader = app.published.verdict.leader;
  if (!rows?.length) return [el("h3", {}, t("panel.title")), el("p", {}, t("panel.none"))];
  const head = [t("panelist"), t("panel.leader"), t("pFirst"), t("panel.without"), t("pFirst")];
  const mark = (k) => (k !== null && k !== leader ? { text: nameOf(k), small: t("notVerdicts"), mark: "other" } : { text: nameOf(k) });
  const table = makeTable(t("panel.caption"), head, 2);
  table.update(rows.map((row) => {
    const without = row.leader_without === null ? null : placeOf(row.leader_without);
    return [row.panelist_id, mark(placeOf(row.leader)), plusMinus(row.p_first, row.mcse), mark(without),
      without === null ? MISSING : plusMinus(row.p_first_without, row.mcse_without)];
  }));
  return [el("h3", {}, t("panel.title")), el("ul", { id: "panel-sentences" }, panelSentences(rows, leader).map((s) => el("li", {}, s))), table.node];
}

function panelSentences(rows, leader) {
  const name = nameOf(leader), other = (id) => nameOf(placeOf(id));
  const said = rows.filter((row) => placeOf(row.leader) !== leader)
    .map((row) => t("panel.differs", { panelist: row.panelist_id, other: other(row.leader), p: formatProbability(row.p_first, row.mcse), name }));
  const left = rows.filter((row) => row.leader_without !== null);
  for (const row of left.filter((r) => placeOf(r.leader_without) !== leader)) {
    said.push(t("panel.decides", { panelist: row.panelist_id, other: other(row.leader_without), p: formatProbability(row.p_first_without, row.mcse_without), name }));
  }
  if (said.length) return said;
  return [t(left.length ? "panel.same" : "panel.sameOnly", { n: rows.length, name })];
}

// Other assumptions

function scenariosPart() {
  const rows = DATA.scenarios, leader = app.published.verdict.leader, name = nameOf(leader);
  if (!rows.length) return [el("h3", {}, t("scenarios.title")), el("p", {}, t("scenarios.none"))];
  const done = rows.filter((row) => row.status === "done" && row.leader !== null);
  const others = done.filter((row) => placeOf(row.leader) !== leader), missing = rows.length - done.length;
  const said = done.length ? [others.length ? t("scenarios.other", { others: others.length, n: done.length, name }) : t("scenarios.same", { n: done.length, name })] : [];
  if (missing) said.push(t("scenarios.missing", { n: missing }));
  const table = makeTable(t("scenarios.caption"), [t("scenario"), t("outcomeHead"), t("panel.leader"), t("pFirst"), t("scenarios.ofLeader", { name })], 3, "wide");
  table.update(rows.map((row) => {
    const own = row.p_first[DATA.decision.leader], best = row.leader === null ? null : row.p_first[row.leader];
    const first = row.leader === null ? MISSING : { text: nameOf(placeOf(row.leader)), small: placeOf(row.leader) === leader ? "" : t("notVerdicts") };
    const statuses = { not_converged: "did not converge", refused: "cannot be computed", not_run: "not run" };
    const outcome = row.status === "done" ? t(`short.${row.outcome}`) : tr(statuses[row.status]);
    return [{ text: row.name, small: trParts(row.changes) }, { text: outcome, small: row.note ? tr(row.note) : "" }, first,
      best ? plusMinus(best.p, best.mcse) : MISSING, own ? plusMinus(own.p, own.mcse) : MISSING];
  }));
  return [el("h3", {}, t("scenarios.title")), el("ul", {}, said.map((s) => el("li", {}, s))), table.node];
}

// The passport: margins of the published verdict, as `violencescore robustness` found them

function passportPart() {
  const found = DATA.robustness;
  if (!found) return [el("h3", {}, t("passport.title")), el("p", {}, t("passport.none"))];
  const table = makeTable(t("passport.caption"), [t("passport.margin"), t("passport.found"), t("passport.required"), t("passport.how")], 1, "wide");
  table.update(found.rows.map((row) => [
    { text: row.name, small: row.sentence },
    { text: row.value, small: [row.interval, row.holds === false ? t("passport.fails") : ""].filter(Boolean).join(" · ") },
    row.minimum || MISSING, { text: "", small: row.method }]));
  const notes = [...found.notes, ...found.left_out.map((line) => t("passport.leftOut", { line }))];
  return [el("h3", {}, t("passport.title")), table.node, el("ul", {}, notes.map((note) => el("li", {}, note)))];
}
