"""Check a published bundle with Python's standard library and NumPy: python small_verifier.py FOLDER [DIGEST].

It checks that no file was changed since it was signed; that the rules were bound before the window; that scores,
probabilities, ranks, intervals and the verdict follow from the draws; and that the sentences say those numbers. DIGEST
is the commitment's, as published before the window: dates alone prove nothing. Exit status: 0 all passed, 3 not.
"""

import base64
import csv
import hashlib
import html
import io
import json
import math
import re
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
NUMBER = re.compile(r"[<>]?\d+(?:\.\d+)?")
COLUMNS = {"first": "p_first p_first_mcse", "score": "score_median score_low score_high"}
COLUMNS |= {"rank": "rank_low rank_high", "one_rank": "rank_low rank_high"}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def point(data):
    """The point of the curve that 32 bytes stand for, in extended coordinates."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if (x * x - x2) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        raise ValueError("no point of the curve")
    x = P - x if x % 2 != sign else x
    return x, y, 1, x * y % P


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    g, h = 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    return (f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P


def multiply(n, point):
    found = (0, 1, 1, 0)
    while n:
        found, point, n = add(found, point) if n & 1 else found, add(point, point), n >> 1
    return found


def is_signed(public, signature, purpose, content):
    try:
        key, sig = bytes.fromhex(public), bytes.fromhex(signature)
        a, r, s = point(key), point(sig[:32]), int.from_bytes(sig[32:], "little")
    except (ValueError, TypeError):
        return False
    message = b"violencescore " + purpose + b"\0" + content
    h = int.from_bytes(hashlib.sha512(sig[:32] + key + message).digest(), "little") % Q
    left, right = multiply(s, point(b"\x58" + b"\x66" * 31)), add(r, multiply(h, a))
    exact = (len(key), len(sig), key.hex(), sig.hex()) == (32, 64, public, signature)
    return exact and s < Q and all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


def canonical(value):
    """JSON in the canonical form of RFC 8785."""
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be"))
        return "{" + ",".join(canonical(key) + ":" + canonical(inner) for key, inner in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if not isinstance(value, float) or value == 0:
        return "0" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, place = "".join(map(str, digits)), len(digits) + exponent
    if not -6 < place <= 21:
        return "-" * sign + text[0] + ("." + text[1:] if text[1:] else "") + f"e{place - 1:+d}"
    text = text.ljust(place, "0") if place > 0 else "0" * (1 - place) + text
    whole, rest = text[: max(place, 1)], text[max(place, 1) :]
    return "-" * sign + whole + ("." + rest if rest else "")


def read_json(files, name):
    def unique(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError(f"{name}: a key stands twice")
        return dict(pairs)

    return json.loads(files[name].decode("utf-8"), object_pairs_hook=unique)


def read_rows(files, name):
    rows = list(csv.reader(io.StringIO(files[name].decode("utf-8"), newline="")))
    return [[re.sub(r"^'(?=[=+\-@\t\r'])", "", cell) for cell in row] for row in rows]


def read_draws(files, name, with_organizations=False):
    """Ids, columns and values of a table of draws: (chain, draw, column) or (chain, draw, organization, column)."""
    head, *rows = read_rows(files, name)
    skip, ids = 2 + with_organizations, list(dict.fromkeys(row[2] for row in rows if with_organizations))
    chains = int(rows[-1][0]) + 1
    shape = (chains, len(rows) // chains // max(len(ids), 1), *([len(ids)] if ids else []), len(head) - skip)
    return ids, head[skip:], np.array([row[skip:] for row in rows], dtype=float).reshape(shape)


def effective_size(series):
    """Effective number of draws of (chain, draw): split chains, initial monotone sequence (Vehtari et al. 2021)."""
    n = series.shape[1] // 2
    halves = np.concatenate((series[:, :n], series[:, -n:]))
    if series.shape[1] < 10 or halves.max() == halves.min():
        return float(series.size)
    centred = halves - halves.mean(axis=1, keepdims=True)
    covariance = np.mean([np.correlate(c, c, "full")[n - 1 :] for c in centred], axis=0) / n
    rho = 1 - (covariance[0] * n / (n - 1) - covariance) / (covariance[0] + halves.mean(axis=1).var(ddof=1))
    rho[0] = 1
    pairs = rho[: (n - 3) // 2 * 2].reshape(-1, 2).sum(axis=1)
    alive = int(np.argmax(np.append(pairs < 0, True)))
    return series.size / max(2 * np.minimum.accumulate(pairs[:alive]).sum() - 1 + max(rho[2 * alive], 0), 1)


def estimate(share, gap):
    """Probability and Monte-Carlo error of an event, from its share in each draw and what decides it."""
    error = share.std() / math.sqrt(effective_size(share))
    return float(share.mean()), float(max(error, 1 / (effective_size(gap) + 1)))


def probabilities(scores, ids, margin):
    """For each organization: P(first) and error, P(first by the margin) and error, shares of ranks, quantiles."""
    found = {}
    for k, key in enumerate(ids):
        own, others = scores[:, :, k], np.delete(scores, k, axis=2)
        second = others.max(axis=2) if len(ids) > 1 else np.zeros_like(own)
        above, level = (others > own[..., None]).sum(axis=2), (others == own[..., None]).sum(axis=2) + 1
        first = estimate((above == 0) / level, own - second)
        gap = own - (1 + margin) * second
        clear = estimate(((gap >= 0) & (own > second)) * 1.0, gap) if margin > 0 else first
        ranks = [float(np.mean(((above < j) & (j <= above + level)) / level)) for j in range(1, len(ids) + 1)]
        ends = [int(np.argmax(np.cumsum(ranks) >= q - 1e-9)) + 1 for q in (0.05, 0.95)]
        expected = float(np.dot(ranks, range(1, len(ids) + 1)))
        row = [*first, *ranks, expected, *ends, *np.quantile(own, (0.5, 0.05, 0.95))]
        found[key] = {"first": first, "clear": clear, "expected": expected, "row": row}
    return found


def decide(found, rule, diagnostics, scores):
    """Outcome, the order of the ranking, and the probability that the rule looks at."""
    order = sorted(found, key=lambda i: (-round(found[i]["first"][0], 12), round(found[i]["expected"], 12), i))
    (p, error), line = found[order[0]]["clear"], rule["confidence"]
    outcome = "extend" if p >= line - max(rule["extend_within"], 2 * error) - 1e-9 else "no_selection"
    outcome = "selected" if p - 2 * error >= line - 1e-9 else outcome
    usable = diagnostics["converged"] and diagnostics.get("named") != 0 and scores.any()
    return outcome if usable else "not_estimable", order, (p, error)


def escape_margin(scores, k, margin, level):
    """The least cut of an organization's violence that brings P(first) below a level: value, low, high, error."""
    own, others = scores[:, :, k], np.delete(scores, k, axis=2)
    gap = own - (1 + margin) * (others.max(axis=2) if others.size else 0)
    cut = np.where(own > 0, gap / np.where(own > 0, own, 1), np.where(gap > 0, np.inf, -np.inf))
    error = 2 * math.sqrt(level * (1 - level) / effective_size((cut > np.quantile(cut, 1 - level)) * 1.0))
    levels = [1 - level, max(1 - level - error, 0), min(1 - level + error, 1)]
    value, low, high = np.clip(np.quantile(cut, levels, method="higher"), 0, 1)
    return np.array([value, low, high, (high - low) / 4])


def check_margins(files, statement, order, drawn, own):
    """Whether the margins that are required are well formed and those of decision.json; whether they are enough."""
    least, rule = statement["methodology"]["robustness"]["minimum"], statement["methodology"]["decision"]
    rows = read_json(files, "margins.json")["margins"] if least else []
    number = {None: math.nan, "more": math.inf}
    numbers = [[number.get(r[k], r[k]) for k in ("value", "low", "high", "mcse")] for r in rows]
    right = (len(least) > 0) == ("margins.json" in files)
    for row, (value, low, high, error) in zip(rows, numbers, strict=True):
        right &= row["name"] in least and all(type(n) in (int, float) for n in (value, low, high, error))
        right &= math.isnan(value) or (0 <= low <= value <= high and 0 <= error < math.inf)
        if row["name"] == "escape_margin":
            found = escape_margin(drawn, own.index(order[0]), rule["margin"], rule["confidence"])
            gap = np.abs(np.array([value, low, high, error]) - found)
            right &= row["organization"] == order[0] and bool((gap <= [1e-9, *[found[3] / 10 + 1e-9] * 3]).all())
    told, enough = {r["name"]: r for r in read_json(files, "decision.json")["required_margins"]}, True
    right &= list(told) == list(least)
    for name, minimum in least.items():
        lows = [-math.inf if math.isnan(v) or math.isnan(low) else low for v, low, *_ in numbers]
        lows = [low for low, row in zip(lows, rows, strict=True) if row["name"] == name]
        holds = min(lows, default=-math.inf) >= minimum - 1e-9
        right &= [told[name]["holds"], told[name]["minimum"]] == [holds, minimum]
        found = told[name]["found"] and {**told[name]["found"], "name": name, "meaning": told[name]["meaning"]}
        right &= found in rows if lows else found is None
        enough &= holds
    return right, enough


def close(left, right):
    return bool(np.allclose(np.array(left, dtype=float), np.array(right, dtype=float), rtol=1e-8, atol=1e-12))


def check_files(files):
    manifest, signature = read_json(files, "datapackage.json"), read_json(files, "signature.json")
    listed = {entry["path"]: entry["hash"] for entry in manifest["resources"]}
    present = {name: "sha256:" + sha256(files[name]) for name in files.keys() - {"datapackage.json", "signature.json"}}
    yield "every file is the one that is listed", listed == present and len(listed) == len(manifest["resources"])
    content = files["datapackage.json"]
    right = [len(signature), signature["format"]] == [4, "violencescore signature 1"]
    right = right and signature["manifest_sha256"] == sha256(content)
    right = right and (canonical(signature) + "\n").encode() == files["signature.json"]
    yield "the list is signed", right and is_signed(signature["public_key"], signature["signature"], b"bundle", content)


def check_commitment(files, published):
    key, chain = read_json(files, "signature.json")["public_key"], read_json(files, "commitment.json")["chain"]
    previous, opened = None, "9999"
    for number, link in enumerate(chain, start=1):
        statement, content = link["statement"], canonical(link["statement"]).encode()
        opened = min(opened, statement["methodology"]["window"]["start"])
        signed = sha256(content) == link["sha256"] and is_signed(key, link["signature"], b"commitment", content)
        yield f"statement {number} of the commitment is signed", signed and statement["public_key"] == key
        yield f"statement {number} is in its place", [statement["previous"], statement["number"]] == [previous, number]
        in_time = statement["committed_at"] < opened or chain[-1]["statement"]["rehearsal"]
        yield f"statement {number} was made before the window opened, or is a rehearsal", in_time
        previous = link["sha256"]
    yield "the commitment is the one that was published, if its digest is given", published in (None, previous)


def committed_weights(files, statement):
    if statement["methodology"]["weights"]["use"] == "published":
        parts = statement["methodology"]["category"]
        return {":".join(filter(None, (c["element"], c["victim_role"]))): c["weight"] for c in parts}, True
    if "pooled" in statement["panel"]:
        return statement["panel"]["pooled"], True
    opening = read_json(files, "pooled_weights.json")
    return opening["weights"], sha256(canonical(opening).encode()) == statement["panel"]["pooled_seal"]


def check_figures(files):
    statement = read_json(files, "commitment.json")["chain"][-1]["statement"]
    methodology, decision = statement["methodology"], read_json(files, "decision.json")
    per, sampling, rule = methodology["score"]["per"], methodology["sampling"], methodology["decision"]
    yield "the methodology is the one that was committed", read_json(files, "methodology.json") == methodology
    weights = {row[0]: float(row[1]) for row in read_rows(files, "weights.csv")[1:]}
    committed, opened = committed_weights(files, statement)
    same = weights.keys() == committed.keys() and close([weights[k] for k in committed], list(committed.values()))
    yield "the weights are those that were committed", same and opened
    ids, labels, harms = read_draws(files, f"draws/harm_{methodology['score']['estimand']}.csv", True)
    own = [i for i in ids if i != "other"]
    size = 1 if per == "none" else read_draws(files, f"draws/{per}.csv")[2]
    scores = (harms * [weights[label] for label in labels]).sum(axis=3)[:, :, : len(own)] / size
    _, names, drawn = read_draws(files, "draws/scores.csv")
    yield "scores follow from harms and weights", names == own and drawn.shape == scores.shape and close(drawn, scores)
    units = methodology["units"]["level"] != "organization"
    ids = {o["organization_id"] for o in statement["organizations"] if o["rankable"] or units}
    right = {*own} == (ids & {*own} if units else ids) and drawn.shape[0] == sampling["chains"]
    right = right and drawn.shape[1] % sampling["draws"] == 0
    yield "organizations, chains and draws are those that were committed", right
    found = probabilities(drawn, own, rule["margin"])
    outcome, order, p = decide(found, rule, read_json(files, "diagnostics.json"), drawn)
    right, enough = check_margins(files, statement, order, drawn, own)
    yield "the margins that are required are those of the verdict", right
    outcome = methodology["robustness"]["otherwise"] if outcome == "selected" and not enough else outcome
    verdict = [outcome, order[0] if outcome == "selected" else None, rule["confidence"]]
    right = [decision[key] for key in ("outcome", "selected", "confidence_required")] == verdict
    yield "the verdict follows from the draws", right and close(list(decision["p_stand_out"].values()), p)
    head, *table = read_rows(files, "ranking.csv")
    rows = {row[0]: dict(zip(head, row, strict=True)) for row in table}
    yield "the ranking has its order", [row[0] for row in table] == order
    for key, of in found.items():
        row = [cell for column, cell in rows[key].items() if column not in ("organization_id", "name", "score_mean")]
        right = close(list(decision["p_first"][key].values()), of["first"])
        yield f"figures of {key}", right and close(row, of["row"])
    pairs = {(one, other): figures for one, other, *figures in read_rows(files, "pairwise.csv")[1:]}
    for (one, other), figures in pairs.items():
        gap = drawn[:, :, own.index(one)] - drawn[:, :, own.index(other)]
        yield f"{one} above {other}", close(figures, estimate((np.sign(gap) + 1) / 2, gap))
    page = json.loads(re.search(rb'id="data">(.*?)</script>', files["page.html"], re.DOTALL)[1])
    kept = [i for i, cell in enumerate(table[0]) if i > 1 and cell]
    right = [row[head[0]] for row in page["ranking"]] == order
    right &= close([[row[head[i]] for i in kept] for row in page["ranking"]], [[row[i] for i in kept] for row in table])
    shown = np.moveaxis(harms[:, :: page["draws"]["step"], : len(own)], 3, 0)
    for text, harm in zip(page["draws"]["harm"], shown, strict=True):
        right &= close(np.frombuffer(base64.b64decode(text["data"]), text["type"]), harm.ravel())
    yield "the page shows the ranking, and computes from the draws", right
    yield from check_claims(files, rows, decision, pairs)


def check_claims(files, rows, decision, pairs):
    claims = read_json(files, "claims.json")["claims"]
    for language in ("en", "es"):
        text, page = (files[f"announcement.{language}.{end}"].decode() for end in ("txt", "html"))
        said = [claim["sentences"][language] for claim in claims]
        lines = [line for line in text.splitlines() if line in set(said)]
        shown = [html.unescape(re.sub("<[^>]+>", "", p)) for p in re.findall("<p>(.*?)</p>", page)]
        yield f"text and page say the claims ({language})", lines == said == shown and text.count("\n") == len(said) + 9
    for claim in claims:
        values, shown, subject = claim["values"], claim["shown"], claim["subject"]
        right = all(is_rounded(claim, slot) for slot in shown)
        if claim["kind"] in COLUMNS:
            wanted = [rows[subject[0]][column] for column in COLUMNS[claim["kind"]].split()]
            right &= close(list(values.values())[: len(wanted)], wanted)
        elif claim["kind"] == "pair":
            right &= close([values["p"], values["mcse"]], pairs[tuple(subject)])
        elif claim["kind"].startswith("margin.") and "minimum" in values:
            told = next(row for row in decision["required_margins"] if row["name"] == values["name"])
            told = {**(told["found"] or {}), **told}
            right &= all(told.get(key) == value for key, value in values.items())
            said = {"margin.holds": [True], "margin.short": [False]}.get(claim["kind"], [True, False])
            right &= told["holds"] in said and claim["words"]["what"] == values["name"]
        elif "p" in values and "required" in values:
            kind = claim["kind"].removeprefix("held_back.")
            right &= kind in (decision["outcome"], "near") and subject == [decision["leader"]]
            right &= close([values["p"], values["mcse"]], list(decision["p_stand_out"].values()))
        known = {n for slot in shown.keys() - set(claim["names"]) for n in NUMBER.findall(shown[slot])}
        for sentence in claim["sentences"].values():
            for slot in claim["names"]:
                sentence = sentence.replace(shown[slot], "")
            right &= set(NUMBER.findall(sentence)) <= known
        yield f"claim: {claim['sentences']['en']}", right


def is_rounded(claim, slot):
    """Whether a number is shown as its exact value, rounded, or as a bound on the safe side of it."""
    key = {"error": "mcse"}.get(slot, slot.removesuffix("_percent"))
    shown, value = claim["shown"][slot], claim["values"].get(key)
    if slot in claim["names"] or not isinstance(value, int | float) or not NUMBER.fullmatch(shown):
        return True
    said, unit = float(shown.lstrip("<>")), 10.0 ** -len(shown.partition(".")[2])
    value = 100 * value if slot == "margin" or slot.endswith("_percent") else value
    if shown[0] in "<>":
        return said <= value if shown[0] == ">" else said >= value
    return abs(said - value) <= max(unit / 2, 5e-4 * abs(value)) + 1e-9


def verify(folder, published=None):
    paths = [path for path in sorted(Path(folder).rglob("*")) if not path.is_dir()]
    if any(path.is_symlink() for path in paths) or sum(path.stat().st_size for path in paths) > 10**9:
        return [("the folder holds files only, and not too much", False)]
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    checks = []
    try:
        for part in (check_files(files), check_commitment(files, published), check_figures(files)):
            checks += part
            if not all(holds for _, holds in checks):
                break
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError, ArithmeticError) as error:
        checks.append((f"the bundle can be read ({error!r})", False))
    return checks


if __name__ == "__main__":
    results = verify(*sys.argv[1:3])
    print("\n".join(f"{'passed' if holds else 'FAILED'} {what}" for what, holds in results))
    sys.exit(0 if all(holds for _, holds in results) else 3)
