// Numbers as the package writes them (report/text.py, montecarlo.py): the same digits, the same caution.
const MISSING = "–";

const total = (values) => values.reduce((a, b) => a + b, 0);

/** Round half to even where a number lies exactly between, as Python does. */
function roundEven(value) {
  const floor = Math.floor(value), rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function fixed(value, digits) {
  const power = 10 ** digits, scaled = value * power;
  // Only halves, quarters and the like are ties: decimals such as 0.005 are not held exactly.
  const isTie = Math.abs(scaled % 1) === 0.5 && Number.isInteger(value * 2 ** (digits + 1));
  return (isTie ? roundEven(scaled) / power : value).toFixed(digits);
}

function grouped(text) {
  const [whole, rest] = text.split(".");
  return whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",") + (rest === undefined ? "" : `.${rest}`);
}

const integer = (value) => grouped(fixed(value, 0));

/** At most six significant digits, without trailing zeros: Python's `g`. */
function general(value) {
  if (value === null || !Number.isFinite(value)) return MISSING;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential(5).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(6)));
}

const percent = (share) => `${general(100 * share)} %`;

/** A number with at most four significant digits; a dash for none. */
function shortNumber(value) {
  if (value === null || !Number.isFinite(value)) return MISSING;
  return Math.abs(value) >= 1000 ? fixed(value, 0) : String(Number(value.toPrecision(4)));
}

function formatProbability(p, mcse) {
  if (p === null || Number.isNaN(p)) return MISSING;
  const digits = Math.min(Math.max(Math.floor(-Math.log10(mcse / 2) + 1e-9), 1), 4);
  const text = fixed(p, digits);
  const truncate = (value, towards) => {
    const scaled = value * 10 ** digits;
    return fixed(towards(Number(scaled.toFixed(6))) / 10 ** digits, digits);
  };
  if (p + mcse >= 1 || Number(text) >= 1) return `>${truncate(Math.max(p - 2 * mcse, 0), Math.floor)}`;
  if (p - mcse <= 0 || Number(text) <= 0) return `<${truncate(Math.min(p + 2 * mcse, 1), Math.ceil)}`;
  return text;
}

function errorText(mcse) {
  const digits = mcse > 0 ? Math.max(1, Math.ceil(-Math.log10(mcse) - 1e-9)) : 1;
  return fixed(mcse, digits);
}

/** Writer of probabilities in narrow cells: two decimals, never 0 or 1. */
function cellFormat(smallestError) {
  const step = Math.max(0.01, Math.ceil(200 * smallestError - 1e-9) / 100);
  return (p) => {
    if (p === null || Number.isNaN(p)) return MISSING;
    if (p < step / 2) return `<${fixed(step, 2)}`;
    return p >= 1 - step / 2 ? `>${fixed(Math.max(1 - step, 0), 2)}` : fixed(p, 2);
  };
}

/** The format in which the largest finite magnitude of a column has about three digits. */
function numberFormat(values) {
  let largest = 0;
  for (const value of values) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  let exponent = 0;
  if ((largest > 0 && largest < 0.1) || largest >= 1e7) {
    exponent = Math.max(3 * Math.floor(Math.log10(largest) / 3), -300);
  }
  const power = 10 ** exponent, scaled = largest / power;
  const decimals = scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
  const write = (value) => (Number.isFinite(value) && value !== null ? grouped(fixed(value / power, decimals)) : MISSING);
  return { write, power, exponent };
}

const intervalText = (low, high) => (low === high ? low : `${low}–${high}`);

/** A probability as so many of n worlds, with no more certainty than its error allows: {word, count, n}. */
function worldsParts(p, mcse, n) {
  if (p === null || Number.isNaN(p)) return { word: "unknown", count: 0, n };
  const count = roundEven(p * n);
  if (p + mcse >= 1 || count >= n) return { word: "more", count: Math.min(n - 1, Math.floor((p - 2 * mcse) * n)), n };
  if (p - mcse <= 0 || count <= 0) return { word: "fewer", count: Math.max(1, Math.ceil((p + 2 * mcse) * n)), n };
  return { word: "plain", count, n };
}

const orderOf = (left, right) => (Math.abs(left - right) <= 1e-12 ? 0 : Math.sign(left - right));

/** A probability and the required one as frequencies that keep their order. */
function worldsAgainst(p, mcse, required) {
  for (const n of [100, 1000, 10000]) {
    const exact = Math.abs(required * n - roundEven(required * n)) <= 1e-6;
    const kept = orderOf(roundEven(p * n), roundEven(required * n)) === orderOf(p, required);
    if (Number.isNaN(p) || (exact && kept)) {
      return [worldsParts(p, mcse, n), { word: "plain", count: roundEven(required * n), n }];
    }
  }
  const bar = { word: "plain", count: general(100 * required), n: 100 };
  return [{ ...bar, word: p > required ? "over" : "under" }, bar];
}
