// The evidence on each organization: what its score is made of, who names it, what it stages; single incidents where disclosed.

function evidenceSection() {
  if (!IDS.length) return null;
  return section("evidence", t("evidence.title"), compositionPart(), namedPart(), stagedPart(), incidentsPart());
}

/** Mean weighted harm by organization and category: [k][c]. */
function composition() {
  const { n, size, harm } = app.sample;
  app.meanHarm ??= harm.map((values) => {
    const sums = new Float64Array(n);
    for (let i = 0; i < size * n; i++) sums[i % n] += values[i];
    return sums.map((sum) => sum / size);
  });
  return IDS.map((_, k) => app.meanHarm.map((means, c) => means[k] * app.current.setting.weights[c]));
}

function compositionPart() {
  if (!app.sample) return null;
  const counted = () => CATEGORIES.map((_, c) => c).filter((c) => app.current.setting.weights[c] > 0);
  const shares = (row) => { const sum = total(row); return counted().map((c) => (sum > 0 ? row[c] / sum : null)); };
  const write = cellFormat(0), columns = () => counted().map((c) => categoryWords(CATEGORIES[c]));
  const rows = () => { const found = composition(); return app.current.summary.order.map((k) => ({ k, row: found[k] })); };
  const chart = makeChart("composition", t("composition.title"), {
    draw: (svg, width) => drawHeatMap(svg, width, {
      names: rows().map(({ k }) => nameOf(k)), columns: columns(), slanted: true,
      values: rows().map(({ row }) => shares(row)), write: (p) => (p === 0 ? "0" : write(p)),
    }),
    head: () => [t("flips.category"), ...rows().map(({ k }) => nameOf(k))],
    rows: () => {
      const found = rows().map(({ row }) => ({ row, own: shares(row), format: numberFormat(row) }));
      return counted().map((c, j) => [categoryWords(CATEGORIES[c]), ...found.map(({ row, own, format }) => (
        { text: format.write(row[c]), value: row[c], small: own[j] === null ? "" : percent(Number(own[j].toPrecision(2))) }))]);
    },
    tableCaption: t("composition.caption"),
    conclude: () => {
      const [{ k, row }] = rows(), most = row.indexOf(Math.max(...row)), sum = total(row);
      if (!(sum > 0)) return t("composition.nothing");
      return t("composition.conclude", { share: percent(Number((row[most] / sum).toPrecision(2))), name: nameOf(k), category: categoryWords(CATEGORIES[most]) });
    },
  });
  return [el("h3", {}, t("composition.title")), chart];
}

const evidenceRows = (rows) => app.published.summary.order.flatMap((k) => rows.filter((row) => row.organization_id === IDS[k]).map((row) => ({ k, ...row })));

function namedPart() {
  if (!DATA.evidence) return [el("h3", {}, t("named.title")), el("p", {}, t("evidence.none"))];
  const named = evidenceRows(DATA.evidence.named);
  const number = (value) => ({ text: fixed(value, 1), value });
  const table = makeTable(t("named.caption"), [t("organization"), t("named.channel"), t("named.right"), t("named.missed"), t("named.blamed")], 2);
  table.update(named.map((row) => [nameOf(row.k), channelWord(row.channel), number(row.named), number(row.other + row.silent), number(row.blamed)]));
  const sums = app.published.summary.order.map((k) => {
    const own = named.filter((row) => row.k === k);
    return { k, blamed: total(own.map((row) => row.blamed)), named: total(own.map((row) => row.named)) };
  });
  const worst = sums.reduce((a, b) => (b.blamed > a.blamed ? b : a), sums[0]);
  const said = worst ? el("p", {}, t("named.conclude", { name: nameOf(worst.k), blamed: fixed(worst.blamed, 0), named: fixed(worst.named, 0) })) : null;
  return [el("h3", {}, t("named.title")), said, el("details", {}, el("summary", {}, t("table")), table.node)];
}

function stagedPart() {
  const rows = DATA.evidence ? evidenceRows(DATA.evidence.staged) : [];
  if (!rows.length) return null;
  const share = (value) => percent(Number((value < 0.1 ? value.toPrecision(1) : value.toPrecision(2))));
  const most = rows.reduce((a, b) => (b.mean > a.mean ? b : a));
  const scale = d3.scaleLinear([0, Math.max(...rows.map((row) => row.high))], [0, 1]).nice();
  const text = (row) => `${share(row.mean)} (${share(row.low)}–${share(row.high)})`;
  const chart = makeChart("staged", t("staged.title"), {
    draw: (svg, width) => drawIntervals(svg, width, {
      rows: rows.map((row) => ({ low: row.low, high: row.high, middle: row.mean, name: nameOf(row.k), text: text(row), bold: row.k === most.k })),
      scale, axis: { format: (p) => percent(Number(p.toPrecision(3))) },
    }),
    head: () => [t("organization"), t("staged.head"), "5 %", "95 %"],
    rows: () => rows.map((row) => [nameOf(row.k), ...[row.mean, row.low, row.high].map((value) => ({ text: share(value), value }))]),
    tableCaption: t("staged.caption"),
    conclude: () => `${t("staged.conclude", { name: nameOf(most.k), share: share(most.mean), low: share(most.low), high: share(most.high) })} ${t("staged.caption")}`,
  });
  return [el("h3", {}, t("staged.title")), chart];
}

// Single incidents

function incidentsPart() {
  const found = DATA.incidents;
  if (!found) return [el("h3", {}, t("incidents.title")), el("p", {}, t("incidents.hidden"))];
  const select = el("select", { id: "incidents-of", onchange: () => show() }, el("option", { value: "" }, t("incidents.all")),
    app.published.summary.order.map((k) => el("option", { value: String(k) }, nameOf(k))));
  const table = makeTable(t("incidents.caption", { n: found.rows.length, total: found.total }),
    [t("incidents.incident"), t("incidents.what"), t("incidents.said"), t("incidents.who"), t("incidents.second"), t("incidents.staged")], 3, "wide");
  const show = () => table.update(found.rows.filter((row) => select.value === "" || suspects(row)[0].k === Number(select.value)).map(incidentCells));
  show();
  const filter = el("p", { class: "choice" }, el("label", { for: "incidents-of" }, t("incidents.filter")), select);
  const list = el("details", { id: "incidents" }, el("summary", {}, t("incidents.caption", { n: found.rows.length, total: found.total })), filter, table.node);
  return [el("h3", {}, t("incidents.title")), list, waterfallPart(found.rows.filter((row) => row.waterfall))];
}

/** Who may have done an incident, likeliest first; -1 is somebody else. */
const suspects = (row) => [...row.p.map((p, k) => ({ k, p })), { k: -1, p: row.p_other }].sort((a, b) => b.p - a.p);
const suspectName = (k) => (k < 0 ? t("incidents.other") : nameOf(k));

function incidentCells(row) {
  const write = cellFormat(0), who = ({ k, p }) => ({ text: `${suspectName(k)} ${write(p)}`, value: p });
  const [first, second] = suspects(row);
  const harms = row.harms.map(([element, role, best]) => `${general(best)} × ${categoryWords({ element, victim_role: role })}`).join("; ");
  const said = row.evidence.map(([channel, id]) => `${channelWord(channel)}: ${placeOf(id) < 0 ? t("incidents.other") : nameOf(placeOf(id))}`).join("; ");
  return [{ text: row.incident_id, small: `${row.date}, ${row.region}` }, harms, said || MISSING, who(first), who(second),
    { text: write(row.p_false_flag), value: row.p_false_flag }];
}

function waterfallPart(rows) {
  if (!rows.length) return null;
  let chosen = rows[0];
  const select = el("select", { id: "waterfall-of", onchange: () => { chosen = rows[Number(select.value)]; refresh(); } },
    rows.map((row, i) => el("option", { value: String(i) }, `${row.incident_id} (${row.date}, ${row.region})`)));
  const focus = () => (placeOf(chosen.waterfall.focus) < 0 ? t("incidents.other") : nameOf(placeOf(chosen.waterfall.focus)));
  const item = (text) => tr(text), write = cellFormat(0);
  const chart = makeChart("waterfall", t("waterfall.title"), {
    draw: (svg, width) => {
      const steps = chosen.waterfall.steps, scale = d3.scaleLinear([0, 1], [8, width - 12]), height = 40;
      const labels = part(svg, "items", steps, "text").put("x", 8).put("y", (_, i) => i * height + 16).put("fill", INK);
      fitText(labels, (d) => item(d.item), width * 0.8);
      part(svg, "tracks", steps, "rect").put("x", 8).put("y", (_, i) => i * height + 21).put("width", width - 20).put("height", 9).put("fill", PALE);
      part(svg, "bars", steps, "rect").put("x", 8).put("y", (_, i) => i * height + 21).put("width", (d) => scale(d.p) - 8).put("height", 9).put("fill", BLUE);
      part(svg, "numbers", steps, "text").put("x", width - 12).put("y", (_, i) => i * height + 16).put("text-anchor", "end").put("fill", INK).say((d) => write(d.p));
      drawAxis(svg, "axis", scale, steps.length * height, 5, (p) => general(p));
      return steps.length * height + 28;
    },
    head: () => [t("waterfall.item"), t("waterfall.p"), t("waterfall.bits")],
    rows: () => chosen.waterfall.steps.map((step) => [item(step.item), { text: write(step.p), value: step.p }, { text: fixed(step.bits, 2), value: step.bits }]),
    tableCaption: t("waterfall.title"),
    conclude: () => {
      const steps = chosen.waterfall.steps;
      return t("waterfall.conclude", { name: focus(), incident: chosen.incident_id, before: write(steps[0].p), after: write(steps[steps.length - 1].p) });
    },
  });
  return [el("h3", {}, t("waterfall.title")), el("p", { class: "choice" }, el("label", { for: "waterfall-of" }, t("waterfall.choose")), select), chart];
}
