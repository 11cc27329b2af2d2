// The verdict, and who was first: what is read before anything else.

function section(id, title, ...children) {
  return el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title`, tabindex: "-1" }, title), children);
}

const ICONS = {
  selected: "M14 25l7 7 14-15", extend: "M24 12v13l9 5", no_selection: "M14 24h20", not_estimable: "M16 16l16 16M32 16l-16 16",
};

/** A sign of each outcome that differs in shape, not in colour alone. */
function icon(outcome) {
  const svg = d3.create("svg").put("class", "icon").put("viewBox", "0 0 48 48").put("aria-hidden", "true");
  svg.append("circle").put("cx", 24).put("cy", 24).put("r", 21);
  svg.append("path").put("d", ICONS[outcome]);
  svg.selectAll("*").put("fill", "none").put("stroke", "currentColor").put("stroke-width", 4.5).put("stroke-linecap", "round");
  return svg.node();
}

function verdictSection() {
  const { verdict, summary } = app.published;
  const box = el("div", { class: `verdict ${verdict.outcome}` },
    el("p", { class: "verdict-head" }, icon(verdict.outcome), el("span", {}, `${t("verdict.title")}: ${t(`outcome.${verdict.outcome}`)}`)),
    el("p", { class: "verdict-text", id: "published-verdict" }, verdictSentence(verdict)));
  const refused = verdict.outcome === "not_estimable";
  const obstacles = refused
    ? [el("p", {}, t("obstacles")), el("ul", { lang: "en" }, DATA.decision.reasons.map((reason) => el("li", {}, reason)))]
    : [el("h3", {}, t("verdict.why")), el("ul", {}, [...DATA.required[app.language], ...reasonSentences(verdict, summary), ...publishedOnly()].map((s) => el("li", {}, s)))];
  return section("verdict", t("verdict.title"), box, whatIfBox(), refused ? null : worldsChart(), obstacles,
    el("h3", {}, t("verdict.rests")), el("ul", {}, limits().map((s) => el("li", {}, s))));
}

/** Sentences that only the published verdict has. */
function publishedOnly() {
  const found = [], score = DATA.decision.selected_score, baseline = DATA.decision.p_not_above_baseline;
  if (score) {
    const numbers = Object.fromEntries(["median", "low", "high"].map((key) => [key, shortNumber(score[key])]));
    found.push(phrase("score", { name: nameOf(placeOf(score.organization_id)), level: 0.9, ...numbers }), phrase("winner", {}));
  }
  if (baseline) found.push(phrase("baseline", shown(baseline)));
  return found;
}

function limits() {
  const { decision, methodology, diagnostics, draws } = DATA;
  const found = [t("world"), t(`estimand.${decision.estimand}`)];
  if (decision.per !== "none") found.push(t(`per.${decision.per}`));
  found.push(phrase(DATA.decision.counts_unreported ? "unreported" : "recorded", {}), t("tied"));
  const margin = decision.margin ? word("margin.some", { margin: shortNumber(100 * decision.margin) }) : "";
  found.push(phrase("rule", { lead: word(`${decision.estimand}.${decision.per}`), margin_words: margin,
    required: shortNumber(decision.confidence_required), errors: shortNumber(decision.errors) }));
  found.push(phrase("chosen", decision.methodology));
  if (methodology?.window) found.push(phrase("window", methodology.window));
  if (draws && diagnostics.max_rhat !== undefined) {
    const rhat = diagnostics.max_rhat === null ? MISSING : fixed(diagnostics.max_rhat, 3);
    found.push(phrase("draws", { n: draws.chains * draws.draws * draws.step, chains: draws.chains, rhat, ess: shortNumber(diagnostics.min_ess) }));
  }
  if (!DATA.calibration?.length) found.push(phrase("no_calibration", {}));
  return found;
}

/** The what-if beside the published verdict: marked as such, hidden while there is none. */
function whatIfBox() {
  const text = el("p", { class: "verdict-text", id: "whatif-verdict" });
  const note = DATA.decision.required_margins.length ? el("p", {}, t("whatif.required")) : null;
  const box = el("div", { class: "whatif-box" }, el("p", { class: "mark" }, t("whatif.mark")), text, note);
  onUpdate((current) => {
    box.hidden = !app.isWhatIf;
    setText(text, app.isWhatIf ? verdictSentence(current.verdict) : "");
  });
  return box;
}

/** The bar that stays in sight: the published verdict beside the what-if. */
function statusBar() {
  const short = ({ verdict }) => {
    const parts = verdict.standOut && verdict.outcome !== "not_estimable" ? shortWorlds(worldsParts(verdict.standOut.p, verdict.standOut.mcse, 100)) : MISSING;
    return `${nameOf(verdict.leader)}, ${parts}: ${t(`short.${verdict.outcome}`)}`;
  };
  const now = el("span"), published = el("span", {}, short(app.published));
  const bar = el("div", { id: "bar", role: "region", "aria-label": t("whatif.title") },
    el("p", {}, el("strong", {}, `${t("whatif.published")}: `), published),
    el("p", { class: "now" }, el("strong", {}, `${t("whatif.now")}: `), now),
    el("button", { type: "button", onclick: () => apply(publishedSetting(), true) }, t("whatif.back")));
  onUpdate((current) => {
    bar.hidden = !app.isWhatIf;
    if (app.isWhatIf) setText(now, short(current));
  });
  return bar;
}

// A hundred worlds

/** Worlds by who is first: rounding never fills the last square where there is a rival, nor lifts the leader to a bar it missed. */
function hundredWorlds({ verdict, summary }) {
  const required = verdict.confidence, n = IDS.length, { leader } = summary;
  let leading = roundEven(100 * verdict.standOut.p);
  if (verdict.standOut.p < required) leading = Math.min(leading, Math.ceil(100 * required - 1e-9) - 1);
  if (n > 1) leading = Math.min(leading, 99);
  const left = 100 - leading;
  if (RULE.margin > 0) {
    return [[t("worlds.margin", { name: nameOf(leader), margin: percent(RULE.margin) }), leading], [t("worlds.otherMargin"), left]];
  }
  if (n === 1) return [[nameOf(leader), leading]];
  const second = summary.order[1];
  const count = n === 2 ? left : Math.min(roundEven(100 * summary.organizations[second].p), left);
  const rest = n > 2 ? [[t("worlds.other"), left - count]] : [];
  return [[nameOf(leader), leading], [nameOf(second), count], ...rest];
}

function worldsChart() {
  const fills = [BLUE, MID, PALE];
  const legend = () => (app.current.verdict.outcome === "not_estimable" ? [] : hundredWorlds(app.current));
  const draw = (svg, width) => {
    const parts = legend(), step = width / 20, size = step - 3;
    const squares = parts.flatMap(([, count], group) => new Array(count).fill(group));
    part(svg, "squares", squares, "rect").put("x", (_, i) => Math.floor(i / 5) * step + 1.5).put("y", (_, i) => 24 + (i % 5) * step)
      .put("width", size).put("height", size).put("rx", 2).put("fill", (group) => fills[group]).put("stroke", MUTED).put("stroke-width", 0.6);
    const at = app.current.verdict.confidence * width, bottom = 24 + 5 * step;
    part(svg, "bar", ["#ffffff", INK], "path").put("d", `M${at} 16V${bottom}`).put("stroke", (d) => d).put("stroke-width", (_, i) => (i ? 2.5 : 6))
      .put("stroke-dasharray", (_, i) => (i ? "5 3" : null));
    part(svg, "bar-text", [at], "text").put("x", at).put("y", 12).put("font-size", 12).put("fill", INK)
      .put("text-anchor", at > 0.8 * width ? "end" : "middle").say(t("required", { required: percent(app.current.verdict.confidence) }));
    const key = parts.map(([name, count], group) => ({ name, count, group })).filter(({ count }) => count);
    part(svg, "key", key, "rect").put("x", 0).put("y", (_, i) => bottom + 8 + i * 20).put("width", 12).put("height", 12)
      .put("fill", (d) => fills[d.group]).put("stroke", MUTED);
    const words = part(svg, "key-text", key, "text").put("x", 20).put("y", (_, i) => bottom + 19 + i * 20).put("fill", INK);
    fitText(words, ({ name, count }) => `${name}: ${count}`, width - 20);
    return bottom + 12 + key.length * 20;
  };
  return makeChart("worlds", t("worlds.title"), {
    draw,
    head: () => [t("worlds.first"), t("worlds.count")],
    rows: () => legend().map(([name, count]) => [name, { text: String(count), value: count }]),
    tableCaption: t("worlds.title"),
    conclude: () => t("worlds.caption", {
      legend: legend().filter(([, count]) => count).map(([name, count]) => `${name} ${count}`).join("; "),
      required: percent(app.current.verdict.confidence),
    }),
  });
}

// Ranks, pairs, scores

const ordered = () => app.current.summary.order.map((k) => app.current.summary.organizations[k]);
const writeCell = () => cellFormat(Math.min(...app.current.summary.organizations.map((row) => row.mcse)));
const ghostText = () => (app.isWhatIf ? t("whatif.ghost") : "");

function ranksSection() {
  if (!IDS.length) return null;
  const caution = DATA.decision.outcome === "not_estimable" ? el("p", { class: "caution" }, t("inspection")) : null;
  return section("ranks", t("ranks.title"), caution, rankingTable(), firstChart(), el("h3", {}, t("heat.title")), heatChart(),
    el("h3", {}, t("scores.title")), scoresChart(), IDS.length > 1 ? [el("h3", {}, t("pairs.title")), pairsChart()] : null);
}

const scoreFormat = () => numberFormat(ordered().flatMap((row) => [row.low, row.median, row.high]));
const unit = (format) => (format.exponent ? t("times10", { exponent: format.exponent }) : "");

function rankingTable() {
  const table = makeTable(t("ranks.caption"), [], 1, "wide");
  onUpdate(() => {
    const format = scoreFormat(), selected = app.current.verdict.outcome === "selected" ? app.current.verdict.leader : null;
    const rows = ordered().map((row) => [
      { text: nameOf(row.k), mark: row.k === selected ? "chosen" : "", small: row.k === selected ? t("short.selected") : "" },
      { text: formatProbability(row.p, row.mcse), value: row.p },
      { text: `±\u00a0${errorText(row.mcse)}`, value: row.mcse },
      { text: fixed(row.expected, 1), value: row.expected },
      { text: intervalText(general(row.rankLow), general(row.rankHigh)) },
      { text: format.write(row.median), value: row.median },
      { text: intervalText(format.write(row.low), format.write(row.high)) },
    ]);
    table.update(rows, [t("organization"), t("pFirst"), t("error"), t("expectedRank"), t("rank90"), t("score") + unit(format), t("score90")]);
  });
  return table.node;
}

function firstChart() {
  const scale = d3.scaleLinear([0, 1], [0, 1]);
  const bounds = (row) => ({ low: Math.max(row.p - 2 * row.mcse, 0), high: Math.min(row.p + 2 * row.mcse, 1), middle: row.p });
  return makeChart("first", t("first.title"), {
    draw: (svg, width) => drawIntervals(svg, width, {
      rows: ordered().map((row) => ({ ...bounds(row), name: nameOf(row.k), text: `${formatProbability(row.p, row.mcse)} ± ${errorText(row.mcse)}`, bold: row.k === app.current.summary.leader })),
      scale, line: app.setting.confidence, lineText: t("required", { required: percent(app.setting.confidence) }),
      ghosts: app.isWhatIf ? ordered().map((row, i) => ({ i, ...bounds(app.published.summary.organizations[row.k]) })) : [],
      axis: { format: (p) => general(p), title: t("pFirst") },
    }),
    head: () => [t("organization"), t("pFirst"), t("error")],
    rows: () => ordered().map((row) => [nameOf(row.k), { text: formatProbability(row.p, row.mcse), value: row.p }, { text: errorText(row.mcse), value: row.mcse }]),
    tableCaption: t("first.title"),
    conclude: () => {
      const [row] = ordered();
      return t("first.conclude", { name: nameOf(row.k), ...shown(row), required: percent(app.setting.confidence) }) + ghostText();
    },
  });
}

function heatChart() {
  const columns = IDS.map((_, j) => String(j + 1));
  return makeChart("heat", t("heat.title"), {
    draw: (svg, width) => drawHeatMap(svg, width, {
      names: ordered().map((row) => nameOf(row.k)), columns, values: ordered().map((row) => row.ranks), write: writeCell(), columnsTitle: t("rank"),
    }),
    head: () => [t("organization"), ...columns],
    rows: () => { const write = writeCell(); return ordered().map((row) => [nameOf(row.k), ...row.ranks.map((p) => ({ text: write(p), value: p }))]); },
    tableCaption: t("heat.caption"),
    conclude: () => {
      const { summary, verdict } = app.current, [row] = ordered();
      if (verdict.set.length === 1 || !verdict.set.length) return t("heat.sure", { name: nameOf(summary.leader), p: formatProbability(row.p, row.mcse) });
      return t("heat.open", { n: verdict.set.length, level: percent(verdict.confidence) });
    },
  });
}

function scoresChart() {
  const widest = () => ordered().reduce((most, row) => Math.max(most, row.high), 0) || 1;
  const scale = () => {
    const lows = ordered().map((row) => row.low).filter((low) => low > 0);
    const spans = app.setting.per !== "none" && lows.length === IDS.length && widest() / Math.min(...lows) > 50;
    return spans ? d3.scaleLog([Math.min(...lows), widest()], [0, 1]) : d3.scaleLinear([Math.min(0, ...ordered().map((row) => row.low)), widest()], [0, 1]);
  };
  return makeChart("scores", t("scores.title"), {
    draw: (svg, width) => {
      const format = scoreFormat();
      return drawIntervals(svg, width, {
        rows: ordered().map((row) => ({
          low: row.low ?? 0, high: row.high ?? 0, middle: row.median ?? 0, name: nameOf(row.k), bold: row.k === app.current.summary.leader,
          text: `${format.write(row.median)} (${intervalText(format.write(row.low), format.write(row.high))})`,
        })),
        scale: scale(), axis: { format: (value) => format.write(value), title: t("scores.axis") + unit(format) },
      });
    },
    head: () => [t("organization"), t("score"), "5 %", "95 %"],
    rows: () => {
      const { write } = scoreFormat();
      return ordered().map((row) => [nameOf(row.k), ...[row.median, row.low, row.high].map((value) => ({ text: write(value), value }))]);
    },
    tableCaption: t("scores.title"),
    conclude: () => {
      const [first, second] = ordered();
      if (!second) return t("scores.one");
      return t(first.low <= second.high ? "scores.overlap" : "scores.apart", { first: nameOf(first.k), second: nameOf(second.k) });
    },
  });
}

function pairsChart() {
  const n = IDS.length, columns = IDS.map((_, j) => String(j + 1));
  const matrix = () => app.current.summary.order.map((k) => app.current.summary.order.map((l) => (k === l ? null : app.current.summary.pairs[k * n + l])));
  const names = () => app.current.summary.order.map((k, i) => `${i + 1}. ${nameOf(k)}`);
  return makeChart("pairs", t("pairs.title"), {
    draw: (svg, width) => drawHeatMap(svg, width, { names: names(), columns, values: matrix(), write: writeCell(), columnsTitle: t("pairs.head") }),
    head: () => [t("pairs.head"), ...names()],
    rows: () => { const write = writeCell(); return matrix().map((row, i) => [names()[i], ...row.map((p) => (p === null ? MISSING : { text: write(p), value: p }))]); },
    tableCaption: t("pairs.title"),
    conclude: () => {
      const [first, second] = app.current.summary.order;
      return t("pairs.conclude", { first: nameOf(first), second: nameOf(second), ...shown(app.current.summary.nextPair) });
    },
  });
}
