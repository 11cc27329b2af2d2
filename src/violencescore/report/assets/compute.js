// From draws and weights to probabilities: the definitions of ranks.py, montecarlo.py and decision.py, to the last digit
// but for the order in which means are summed. Scores are [draw * n + organization], draws of all chains in a row.
const TYPES = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, float64: Float64Array };
const MIN_DRAWS = 10;

function decodeDraws(text) {
  const bytes = Uint8Array.from(atob(text.data), (letter) => letter.charCodeAt(0));
  const Kind = TYPES[text.type];
  if (Kind.BYTES_PER_ELEMENT > 1 && new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) {
    for (let i = 0; i < bytes.length; i += Kind.BYTES_PER_ELEMENT) bytes.subarray(i, i + Kind.BYTES_PER_ELEMENT).reverse();
  }
  return new Kind(bytes.buffer);
}

function decodeSample(draws, nOrganizations) {
  return {
    n: nOrganizations,
    chains: draws.chains,
    draws: draws.draws,
    size: draws.chains * draws.draws,
    harm: draws.harm.map(decodeDraws),
    per: Object.fromEntries(Object.entries(draws.per).map(([kind, text]) => [kind, decodeDraws(text)])),
  };
}

/** Weights times a power of ten that makes all of them whole, so that sums are exact and ties are ties (scores.py). */
function wholeWeights(weights) {
  for (const power of [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6]) {
    const scaled = weights.map((w) => w * power), whole = scaled.map(Math.round);
    if (scaled.every((value, c) => Math.abs(value - whole[c]) <= 1e-9)) return [whole, power];
  }
  return [weights, 1];
}

/** Add weight x harm category by category, in their order, as the package does; then divide. */
function weigh(sample, weights, per) {
  const scores = new Float64Array(sample.size * sample.n), [whole, power] = wholeWeights(weights);
  for (let c = 0; c < weights.length; c++) {
    const weight = whole[c], harm = sample.harm[c];
    for (let i = 0; i < scores.length; i++) scores[i] += weight * harm[i];
  }
  if (power !== 1) for (let i = 0; i < scores.length; i++) scores[i] /= power;
  if (per !== "none") {
    const by = sample.per[per];
    for (let i = 0; i < scores.length; i++) scores[i] /= by[i];
  }
  return scores;
}

/** Effective number of draws for the mean: split chains, Geyer's initial monotone sequence, never above the draws. */
function effectiveSize(series, chains, draws) {
  const size = chains * draws, n = draws >> 1;
  if (draws < MIN_DRAWS) return size;
  const halves = [];
  let low = Infinity, high = -Infinity;
  for (let chain = 0; chain < chains; chain++) {
    for (const start of [chain * draws, chain * draws + draws - n]) {
      const half = series.slice(start, start + n);
      for (let i = 0; i < n; i++) {
        if (half[i] < low) low = half[i];
        if (half[i] > high) high = half[i];
      }
      halves.push(half);
    }
  }
  if (!(high > low)) return size;
  const means = halves.map(centre);
  const covariance = (lag) => {
    let total = 0;
    for (const half of halves) for (let i = lag; i < n; i++) total += half[i] * half[i - lag];
    return total / n / halves.length;
  };
  const at0 = covariance(0), within = (at0 * n) / (n - 1);
  const variance = at0 + sampleVariance(means);
  const rho = (lag) => (lag === 0 ? 1 : 1 - (within - covariance(lag)) / variance);
  const nPairs = (n - 3) >> 1;
  let sum = 0, least = Infinity, k = 0, last = 0;
  for (; k < nPairs; k++) {
    const even = rho(2 * k), pair = even + rho(2 * k + 1);
    if (!(pair >= 0)) { last = even; break; }
    least = Math.min(least, pair);
    sum += least;
  }
  if (k === nPairs) last = rho(2 * nPairs);
  return size / Math.max(2 * sum - 1 + Math.max(last, 0), 1);
}

function centre(half) {
  let total = 0;
  for (let i = 0; i < half.length; i++) total += half[i];
  const mean = total / half.length;
  for (let i = 0; i < half.length; i++) half[i] -= mean;
  return mean;
}

function sampleVariance(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1);
}

/** Probability of an event and its Monte-Carlo error, from its share in each draw and what decides it. */
function estimate(share, gap, sample) {
  const { chains, draws, size } = sample;
  let total = 0;
  for (let i = 0; i < size; i++) total += share[i];
  const p = total / size;
  let spread = 0;
  for (let i = 0; i < size; i++) spread += (share[i] - p) ** 2;
  const error = Math.sqrt(spread / size) / Math.sqrt(effectiveSize(share, chains, draws));
  return { p, mcse: Math.max(error, 1 / (effectiveSize(gap, chains, draws) + 1)) };
}

/** Count, for each score, the higher ones of its draw and the equal ones, and for each pair who wins. */
function countRanks(scores, sample) {
  const { n, size } = sample;
  const begun = new Float64Array(n * n * n), wins = new Float64Array(n * n);
  const share = Array.from({ length: n }, () => new Float64Array(size));
  const gap = Array.from({ length: n }, () => new Float64Array(size));
  const above = new Int32Array(n), level = new Int32Array(n);
  for (let d = 0; d < size; d++) {
    const at = d * n;
    above.fill(0);
    level.fill(1);
    let best = -Infinity, second = -Infinity;
    for (let k = 0; k < n; k++) {
      const own = scores[at + k];
      if (own > best) { second = best; best = own; } else if (own > second) second = own;
      for (let l = k + 1; l < n; l++) {
        const other = scores[at + l];
        if (own > other) { above[l]++; wins[k * n + l]++; }
        else if (own < other) { above[k]++; wins[l * n + k]++; }
        else { level[k]++; level[l]++; wins[k * n + l] += 0.5; wins[l * n + k] += 0.5; }
      }
    }
    for (let k = 0; k < n; k++) {
      const own = scores[at + k];
      begun[((level[k] - 1) * n + k) * n + above[k]]++;
      if (above[k] === 0) share[k][d] = 1 / level[k];
      gap[k][d] = own - (n === 1 ? 0 : own === best ? second : best);
    }
  }
  return { begun, wins, share, gap };
}

/** P(rank = j) as [organization][rank], from whole counts. */
function rankShares(begun, sample) {
  const { n, size } = sample;
  const shares = Array.from({ length: n }, () => new Array(n).fill(0));
  for (let tied = 1; tied <= n; tied++) {
    for (let k = 0; k < n; k++) {
      const from = ((tied - 1) * n + k) * n;
      let running = 0;
      for (let j = 0; j < n; j++) {
        running += begun[from + j] - (j >= tied ? begun[from + j - tied] : 0);
        shares[k][j] += running / tied;
      }
    }
  }
  return shares.map((row) => row.map((count) => count / size));
}

function rankQuantile(shares, q) {
  let total = 0;
  for (let j = 0; j < shares.length; j++) {
    total += shares[j];
    if (total >= q - 1e-9) return j + 1;
  }
  return 1;
}

/** Quantiles by linear interpolation, as NumPy's. */
function quantiles(values, probabilities) {
  const sorted = Float64Array.from(values).sort();
  return probabilities.map((q) => {
    const at = q * (sorted.length - 1), low = Math.floor(at), t = at - low;
    const a = sorted[low], b = sorted[Math.min(low + 1, sorted.length - 1)];
    return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
  });
}

/** Whether one organization scored above another (ties count half): probability and error. */
function pairEstimate(scores, sample, k, l) {
  const { n, size } = sample;
  const share = new Float64Array(size), gap = new Float64Array(size);
  for (let d = 0; d < size; d++) {
    gap[d] = scores[d * n + k] - scores[d * n + l];
    share[d] = (Math.sign(gap[d]) + 1) / 2;
  }
  return estimate(share, gap, sample);
}

/** Everything that the page shows of a set of weights. `ids` break ties in the order of the ranking. */
function summarize(sample, weights, per, margin, ids) {
  const scores = weigh(sample, weights, per);
  const { begun, wins, share, gap } = countRanks(scores, sample);
  const { n, size } = sample;
  const shares = rankShares(begun, sample);
  const organizations = ids.map((id, k) => {
    const own = new Float64Array(size);
    for (let d = 0; d < size; d++) own[d] = scores[d * n + k];
    const [low, median, high] = quantiles(own, [0.05, 0.5, 0.95]);
    const first = estimate(share[k], gap[k], sample);
    return {
      k, id, p: shares[k][0], mcse: first.mcse, ranks: shares[k], low, median, high,
      expected: shares[k].reduce((total, p, j) => total + p * (j + 1), 0),
      rankLow: rankQuantile(shares[k], 0.05), rankHigh: rankQuantile(shares[k], 0.95),
    };
  });
  const order = organizations.map((row) => row.k).sort((a, b) => before(organizations[a], organizations[b]));
  const leader = order.length ? order[0] : null;
  return {
    scores, share, order, leader, organizations,
    pairs: wins.map((count) => count / size),
    nextPair: n > 1 ? pairEstimate(scores, sample, order[0], order[1]) : null,
    standOut: leader === null ? null : standOut(scores, sample, leader, margin, organizations[leader]),
    nothing: !scores.some((value) => value !== 0),
  };
}

function before(a, b) {
  const round = (value) => Number(value.toFixed(12));
  return round(b.p) - round(a.p) || round(a.expected) - round(b.expected) || (a.id < b.id ? -1 : 1);
}

/** P(the leader's score is at least (1 + margin) times the second), which the rule looks at. */
function standOut(scores, sample, leader, margin, row) {
  if (!(margin > 0)) return { p: row.p, mcse: row.mcse };
  const { n, size } = sample;
  const share = new Float64Array(size), gap = new Float64Array(size);
  for (let d = 0; d < size; d++) {
    const own = scores[d * n + leader];
    let best = n === 1 ? 0 : -Infinity;
    for (let k = 0; k < n; k++) if (k !== leader) best = Math.max(best, scores[d * n + k]);
    gap[d] = own - (1 + margin) * best;
    share[d] = gap[d] >= 0 && own > best ? 1 : 0;
  }
  return estimate(share, gap, sample);
}

/** The outcome of a probability under the rule: see `decide` of the package for its four lines. */
function judge(value, required, extendWithin, errors, hasObstacle) {
  if (value === null || hasObstacle) return "not_estimable";
  if (value.p - errors * value.mcse >= required - 1e-9) return "selected";
  if (value.p >= required - extendWithin - 1e-9 || isNearLine(value, required, errors)) return "extend";
  return "no_selection";
}

const isNearLine = (value, line, errors) => Math.abs(value.p - line) <= errors * value.mcse + 1e-9;

/** The smallest set that holds the first with the stated confidence, likeliest first (positions). */
function smallestSet(summary, sample, confidence, errors) {
  const { n, size } = sample;
  const rounded = summary.organizations.map((row) => Number(row.p.toFixed(12)));
  const levels = [...new Set(rounded)].sort((a, b) => b - a);
  let inside = [];
  for (const level of levels) {
    inside = rounded.map((p) => p >= level);
    // The error is looked at only where the probability itself is high enough.
    if (total(inside.map((holds, k) => (holds ? summary.organizations[k].p : 0))) < confidence - 1e-6) continue;
    const held = new Float64Array(size), gap = new Float64Array(size);
    for (let d = 0; d < size; d++) {
      let best = -Infinity, rest = -Infinity;
      for (let k = 0; k < n; k++) {
        const own = summary.scores[d * n + k];
        if (inside[k]) { held[d] += summary.share[k][d]; best = Math.max(best, own); } else rest = Math.max(rest, own);
      }
      gap[d] = rest === -Infinity ? best : best - rest;
    }
    const { p, mcse } = estimate(held, gap, sample);
    if (p >= 1 - 1e-9 || p - errors * mcse >= confidence - 1e-9) break;
  }
  return summary.order.filter((k) => inside[k]);
}

/** Who is likeliest first under some weights; `leader` stays so until another is first more often. */
function leaderUnder(sample, weights, per, leader) {
  const { n, size } = sample, scores = weigh(sample, weights, per), first = new Float64Array(n);
  for (let at = 0; at < size * n; at += n) {
    let best = -Infinity, tied = 0;
    for (let k = 0; k < n; k++) {
      if (scores[at + k] > best) { best = scores[at + k]; tied = 1; } else if (scores[at + k] === best) tied++;
    }
    for (let k = 0; k < n; k++) if (scores[at + k] === best) first[k] += 1 / tied;
  }
  let found = leader;
  for (let k = 0; k < n; k++) if (first[k] > first[found] + 1e-9) found = k;
  return found;
}

const STEPS = 14;

/** How far a weight must move, down and up, before another is the likeliest first: {down, up}, each {weight, leader} or null. */
function findFlips(sample, weights, per, c, leader) {
  // However large a weight, in the end it is as if it alone counted.
  const changed = (weight) => weights.map((w, i) => (weight === Infinity ? Number(i === c) : i === c ? weight : w));
  const leaderOf = (weight) => leaderUnder(sample, changed(weight), per, leader);
  const scale = Math.max(...weights, 1e-9), now = weights[c];
  const search = (points) => {
    let kept = now;
    for (const point of points) {
      const found = leaderOf(point);
      if (found !== leader) return bisect(kept, point, found);
      kept = point;
    }
    return null;
  };
  const bisect = (inside, outside, found) => {
    if (outside === Infinity) return { weight: Infinity, leader: found };
    for (let i = 0; i < 14 && Math.abs(outside - inside) > 1e-3 * Math.max(outside, inside); i++) {
      const middle = (inside + outside) / 2, other = leaderOf(middle);
      if (other === leader) inside = middle;
      else { outside = middle; found = other; }
    }
    return { weight: outside, leader: found };
  };
  const down = [], up = [];
  for (let i = 1; i <= STEPS; i++) {
    if (now > 0) down.push(now * (1 - i / STEPS));
    up.push(now + (scale / 4) * (1.6 ** i - 1));
  }
  return { down: search(down), up: search([...up, Infinity]) };
}
