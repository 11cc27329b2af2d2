// Is it true: did the computation settle, what did the data say, how often does the method err, is the file genuine.

function trustSection() {
  return section("trust", t("trust.title"), convergencePart(), identificationPart(), calibrationPart(), chosenPart(), messagesPart());
}

function convergencePart() {
  const found = DATA.diagnostics, limits = DATA.methodology?.sampling ?? {};
  if (found.converged === undefined) return null;
  const wanted = { max_rhat: ["atMost", limits.max_rhat], min_ess: ["atLeast", limits.min_ess], divergences: ["atMost", limits.max_divergences] };
  const table = makeTable(t("convergence.caption"), [t("check"), t("found"), t("wanted")]);
  const rows = [[t("check.converged"), found.converged ? t("yes") : t("no"), t("yes")]];
  for (const key of ["max_rhat", "min_ess", "divergences", "n_draws"]) {
    if (found[key] === undefined) continue;
    const text = found[key] === null ? MISSING : key === "max_rhat" ? fixed(found[key], 3) : integer(found[key]);
    const [bound, value] = wanted[key] ?? [];
    rows.push([t(`check.${key}`), { text, value: found[key] }, value === undefined ? "" : t(bound, { value: general(value) })]);
  }
  table.update(rows);
  return [el("h3", {}, t("convergence.title")), el("p", {}, t(found.converged ? "convergence.yes" : "convergence.no")), table.node];
}

function identificationPart() {
  const { n, families, parameters } = DATA.identification;
  if (!n) return null;
  const families_ = makeTable(t("identification.caption"), [t("identification.family"), t("identification.learned"), t("identification.contraction")]);
  families_.update(families.map((row) => [{ text: tr(row.meaning), small: row.meaning === row.name ? "" : row.name }, `${row.on_data} / ${row.n}`, { text: row.median, value: row.share }]));
  const all = makeTable(t("identification.all", { shown: parameters.length, n }),
    [t("identification.quantity"), t("identification.before"), t("identification.after"), t("identification.contraction"), t("identification.rests")]);
  all.update(parameters.map((row) => [row.parameter, row.before, row.after, { text: row.contraction, value: row.share }, tr(row.rests_on)]));
  const learned = total(families.map((row) => row.on_data));
  return [el("h3", {}, t("identification.title")), el("p", {}, t("identification.conclude", { n, learned })), families_.node,
    el("details", {}, el("summary", {}, t("identification.all", { shown: parameters.length, n })), all.node)];
}

function calibrationPart() {
  const rows = DATA.calibration, heading = el("h3", {}, t("calibration.title"));
  if (!rows?.length) return [heading, el("p", {}, phrase("no_calibration", {}))];
  const sum = (key) => total(rows.map((row) => row[key])), named = sum("right") + sum("wrong");
  const said = phrase("calibration", { assessments: sum("assessments"), worlds: rows.length, named, wrong: sum("wrong"), required: shortNumber(DATA.decision.confidence_required) });
  const table = makeTable(t("calibration.caption"), [t("calibration.world"), t("calibration.assessments"), t("calibration.right"), t("calibration.wrong"), t("calibration.nobody")]);
  const number = (value) => ({ text: integer(value), value });
  table.update(rows.map((row) => [row.world, number(row.assessments), number(row.right), number(row.wrong), number(row.assessments - row.right - row.wrong)]));
  return [heading, el("p", {}, said), table.node];
}

function chosenPart() {
  const { methodology } = DATA;
  if (!methodology) return null;
  const beta = ([a, b]) => ({ text: fixed(a / (a + b), 3), value: a / (a + b), small: `Beta(${general(a)}, ${general(b)})` });
  const channels = makeTable(t("chosen.channels"), [t("named.channel"), t("chosen.forgeable"), t("chosen.names"), t("chosen.accuracy")]);
  channels.update(Object.entries(methodology.channels ?? {}).map(([name, channel]) =>
    [channelWord(name), channel.forgeable ? t("yes") : t("no"), channel.candidates ? t("chosen.set") : t("chosen.one"), beta(channel.accuracy)]));
  const staging = makeTable(t("chosen.staging"), [t("chosen.period"), t("chosen.share")]);
  staging.update(["baseline", "window"].filter((period) => methodology.false_flag?.[period]).map((period) => [t(`period.${period}`), beta(methodology.false_flag[period])]));
  return [el("h3", {}, t("chosen.title")), channels.node, staging.node];
}

function messagesPart() {
  if (!DATA.messages.length) return null;
  return [el("h3", {}, t("messages.title")), el("ul", { lang: "en" }, DATA.messages.map((message) => el("li", {}, message)))];
}

// Is this file genuine

function verifySection() {
  const { publication } = DATA, rows = [];
  (publication.commitments ?? []).forEach((link, i) => rows.push([t("verify.digest", { number: i + 1 }), `${link.sha256} (${link.at}${link.reason ? `: ${link.reason}` : ""})`]));
  if (publication.key) rows.push([t("verify.key"), publication.key]);
  if (publication.published_at) rows.push([t("verify.published"), publication.published_at]);
  if (publication.level) rows.push([t("verify.level"), tr(publication.level)]);
  rows.push([t("verify.methodology"), DATA.decision.methodology.sha256]);
  const table = makeTable(t("verify.caption"), [t("what"), t("value")], 2, "digests");
  table.update(rows);
  const signed = (publication.commitments ?? []).length > 0;
  return section("genuine", t("verify.title"), el("p", {}, t(signed ? "verify.bundle" : "verify.run")), selfCheck(),
    signed ? el("p", {}, t("verify.compare")) : null, table.node, originPart());
}

/** The published figures against those that follow from the draws in this file. */
function selfCheck() {
  if (!app.sample) return null;
  const found = summarize(app.sample, app.published.setting.weights, app.published.setting.per, RULE.margin, IDS);
  const own = app.published.summary.organizations;
  let difference = 0;
  for (const row of found.organizations) {
    const published = own[row.k];
    difference = Math.max(difference, Math.abs(row.p - published.p), Math.abs(row.mcse - published.mcse), ...row.ranks.map((p, j) => Math.abs(p - published.ranks[j])));
    for (const key of ["low", "median", "high"]) difference = Math.max(difference, Math.abs(row[key] - published[key]) / Math.max(Math.abs(published[key]), 1e-300));
  }
  const values = { n: integer(app.sample.size), difference: difference.toExponential(0), step: DATA.draws.step };
  const bad = DATA.draws.step === 1 && !(difference <= 1e-9);
  const key = bad ? "bad" : DATA.draws.step > 1 ? "thinned" : "ok";
  return el("p", { id: "self-check", class: bad ? "caution" : "good" }, t(`verify.self.${key}`, values));
}

function originPart() {
  const groups = DATA.origin.map((group) => {
    const table = makeTable(group.name.replaceAll("_", " "), [t("what"), t("value")], 2, "digests");
    table.update(group.rows);
    return table.node;
  });
  return el("details", {}, el("summary", {}, t("made.title")), groups);
}
