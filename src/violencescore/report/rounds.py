"""A ledger in words, and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from violencescore.montecarlo import Probability
from violencescore.publication.required import number
from violencescore.report.changes import CAUSES, verdict_words
from violencescore.report.tables import plain_table
from violencescore.report.text import MISSING, error_text, interval_text, number_format, percent, shown_text
from violencescore.rounds.history import Round, build_rounds
from violencescore.rounds.standing import ErrorBudget, StopTests, error_budget, read_probability, stop_tests

if TYPE_CHECKING:
    from violencescore.rounds.ledger import Entry

_NAME_LIMIT = 40
_TEXT_LIMIT = 300
_PHASES = {
    "announced": "announced",
    "opened": "window open",
    "selected": "to be named",
    "named": "target named",
    "over": "over",
}
REHEARSAL = "REHEARSAL: this tries out the process, and binds nobody."


def ledger_view(entries: Sequence[Entry]) -> Group:
    """Build what `violencescore rounds show` prints."""
    rounds = build_rounds(entries)
    parts: list[Any] = [Text(shown_text(str(entries[0].facts["title"]), _TEXT_LIMIT), style="bold")]
    if entries[0].facts["rehearsal"]:
        parts.append(Text(REHEARSAL, style="bold yellow"))
    parts += [Text(), _round_table(rounds), Text(), _entry_table(entries, rounds), Text()]
    parts += [Text(sentence) for sentence in standing_sentences(rounds)]
    last = entries[-1]
    parts += [Text(), Text(f"Head (entry {last.number}): {last.sha256}", style="dim")]
    return Group(*parts)


def ledger_json(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return what `violencescore rounds show --json` prints."""
    rounds = build_rounds(entries)
    return {
        "title": entries[0].facts["title"],
        "rehearsal": entries[0].facts["rehearsal"],
        "head": entries[-1].sha256,
        "public_key": entries[-1].statement["public_key"],
        "entries": [{"sha256": entry.sha256, **entry.statement} for entry in entries],
        "rounds": [
            {
                "round": r.number,
                "phase": r.phase,
                "target": r.target,
                "verdict": None if r.verdict is None else dict(r.verdict.facts),
                "stop": _stop_json(stop_tests(r)),
                "would_still": would_still(r),
            }
            for r in rounds
        ],
        "error_budget": vars(error_budget(rounds)),
        "error_budget_restated": vars(error_budget(rounds, restated=True)),
        "said": list(standing_sentences(rounds)),
    }


def _stop_json(found: StopTests | None) -> dict[str, Any] | None:
    if found is None:
        return None
    said = {"nobody_stands_out": found.nobody_stands_out, "is_back_at_baseline": found.is_back_at_baseline}
    p = {key: None if (v := getattr(found, key)) is None else vars(v) for key in ("stands_out", "not_above_baseline")}
    return {"margin": found.margin, "confidence": found.confidence, **p, **said}


def would_still(round_: Round) -> bool | None:
    """Whether the latest restated data give the verdict that was given; None without restated data."""
    if not round_.restated or round_.verdict is None:
        return None
    again, own = round_.restated[-1].facts, round_.verdict.facts
    return bool(again["outcome"] == own["outcome"] and again["selected"] == own["selected"])


def _round_table(rounds: Sequence[Round]) -> Table:
    caption = (
        "P(1st): of the organization that leads. Stands out: that the first exceeds the second by the margin of the "
        "stop test. Calm: that total violence in the window is not above the baseline. Still: what restated data would "
        "give."
    )
    table = plain_table("Rounds", caption)
    for heading in ("round", "window", "verdict"):
        table.add_column(heading, overflow="fold")
    for heading in ("P(1st)", "stands\nout", "calm"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("still", "state"):
        table.add_column(heading, overflow="fold")
    for r in rounds:
        window, found = r.in_force["window"], stop_tests(r)
        table.add_row(
            str(r.number),
            f"{window['start']} to {window['end']}",
            Text(MISSING if r.verdict is None else verdict_words(*_outcome(r.verdict.facts), r.names)),
            _shown(_p_leader(r)),
            _shown(None if found is None else found.stands_out),
            _shown(None if found is None else found.not_above_baseline),
            {None: MISSING, True: "same", False: "other"}[would_still(r)],
            _state(r),
        )
    return table


def _state(round_: Round) -> str:
    return "victory" if round_.victory else "given up" if round_.ended else _PHASES[round_.phase]


def _outcome(facts: Mapping[str, Any]) -> tuple[str, str | None]:
    return facts["outcome"], facts["selected"]


def _p_leader(round_: Round) -> Probability | None:
    facts = {} if round_.verdict is None else round_.verdict.facts
    return read_probability(facts["p_first"][facts["leader"]]) if facts.get("leader") else None


def _shown(value: Probability | None) -> str:
    return MISSING if value is None else str(value)


def _entry_table(entries: Sequence[Entry], rounds: Sequence[Round]) -> Table:
    table = plain_table("The record", "")
    table.add_column("entry", justify="right")
    table.add_column("entered (UTC)", no_wrap=True)
    table.add_column("round", justify="right")
    table.add_column("what", overflow="fold")
    names = all_names(rounds)
    for entry in entries:
        words = entry_sentence(entry, names)
        at = f"{entry.at:%Y-%m-%d %H:%M}"
        table.add_row(str(entry.number), at, str(entry.round), Text(words))
    return table


def all_names(rounds: Sequence[Round]) -> dict[str, str]:
    """Return id -> name of every organization that was ever ranked, as it was called last."""
    return {key: name for r in rounds for terms in r.terms for key, name in terms.facts["organizations"].items()}


def entry_sentence(entry: Entry, names: Mapping[str, str]) -> str:
    """Return in words what an entry states."""
    facts = entry.facts

    def name(key: str) -> str:
        return shown_text(str(names.get(key, key)), _NAME_LIMIT)

    match entry.kind:
        case "announced" | "amended":
            window, count = facts["window"], len(facts["organizations"])
            gone = f"; retired: {', '.join(map(name, facts['retired']))}" if facts["retired"] else ""
            said = (
                f"{entry.kind.capitalize()}: window {window['start']} to {window['end']}, {count} organizations{gone}"
            )
            reason = f" Reason: {_told(facts['reason'])}" if entry.kind == "amended" else ""
            return f"{said}. Commitment {facts['commitment'][:16]}….{reason}"
        case "opened":
            return f"The window opened: {facts['start']} to {facts['end']}."
        case "verdict":
            margins = "".join(f" {words}" for words in _margin_words(facts))
            return f"Verdict: {verdict_words(*_outcome(facts), names)}.{margins} Bundle {facts['bundle'][:16]}…."
        case "named":
            told = f" {_told(facts['statement'])}" if facts["statement"] else ""
            return f"Target named: {name(facts['organization'])}.{told}"
        case "progress":
            return f"Progress, {facts['from']} to {facts['to']}. {' '.join(progress_sentences(facts))}"
        case "victory":
            return f"Victory declared over {name(facts['organization'])}: {_told(facts['reason'])}"
        case "ended":
            return f"Given up: {_told(facts['reason'])}"
        case _:
            said = verdict_words(*_outcome(facts), names)
            return f"On restated data: {said}. {CAUSES[facts['change']['cause']]}"


def _margin_words(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield in words what was found of the margins that are required, where the verdict turns on them."""
    for part in facts.get("required_margins", ()):
        value = None if part["found"] is None else part["found"]["value"]
        shown = "not known" if value is None else "without limit" if value == "more" else number(value)
        label = shown_text(str(part["name"])).replace("_", " ")
        end = "" if part["holds"] else ": not enough"
        yield f"{label.capitalize()} {shown}, {number(part['minimum'])} required{end}."


def _told(text: str) -> str:
    return shown_text(str(text), _TEXT_LIMIT)


def progress_sentences(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield a progress report in words: medians with 90 % intervals."""
    found = facts["violence"]
    for key, words in (("target", "The target's violence"), ("rest", "That of all others")):
        ratio = found[f"{key}_ratio"]
        before = "" if ratio is None else f", {_interval(ratio)} times the baseline"
        yield f"{words}: {_interval(found[key])} a day{before}."
    if (market := facts["market"]) is not None:
        share = {key: 100 * market[key] for key in ("median", "low", "high")}
        yield f"Its share of {market['kind']}: {_interval(share)} %."
    if (actions := facts["actions"]) is not None:
        on, off = actions["on"], actions["off"]
        share = actions["share_on"]
        part = "" if share is None else f" ({_interval({k: 100 * v for k, v in share.items()})} % on target)"
        beside = f"; {actions['outside']} outside the period are not counted" if actions["outside"] else ""
        yield f"Enforcement: {on} actions on the target, {off} on others{part}{beside}."


def _interval(value: Mapping[str, float]) -> str:
    shown = number_format([value["median"], value["low"], value["high"]])
    return shown.with_unit(value["median"]) + f" ({interval_text(shown(value['low']), shown(value['high']))})"


def standing_sentences(rounds: Sequence[Round]) -> Iterator[str]:
    """Yield in words how many selections may be wrong, and whether the process may stop."""
    yield from _budget_sentences(error_budget(rounds), error_budget(rounds, restated=True))
    done = [r for r in rounds if r.verdict is not None]
    found = stop_tests(done[-1]) if done else None
    if found is None:
        return
    line = percent(found.confidence)
    if found.stands_out is not None:
        end = "nobody stands out any more: the process may stop" if found.nobody_stands_out else "it goes on"
        yield (
            f"Stop test 1, after round {done[-1].number}: P(the first exceeds the second by {percent(found.margin)} or "
            f"more) is {_with_error(found.stands_out)}; at most {percent(1 - found.confidence)} would end the process: "
            f"{end}."
        )
    if found.not_above_baseline is None:
        yield "Stop test 2 needs a baseline, and there is none."
    else:
        end = "violence is back: the process may stop" if found.is_back_at_baseline else "it goes on"
        yield (
            f"Stop test 2, after round {done[-1].number}: P(total violence is not above the baseline) is "
            f"{_with_error(found.not_above_baseline)}; at least {line} would end the process: {end}."
        )


def _with_error(value: Probability) -> str:
    return f"{value} (Monte-Carlo error {error_text(value.mcse)})"


def _budget_sentences(found: ErrorBudget, again: ErrorBudget) -> Iterator[str]:
    if not found.selections:
        yield "Nobody was selected so far: no selection can be wrong."
        return
    count = "1 selection" if found.selections == 1 else f"{found.selections} selections"
    yield (
        f"Error budget: of {count} so far, {_expected(found)} are expected to be wrong; the stated confidences allow "
        f"{found.allowed:.2f}."
    )
    if (again.expected, again.mcse) != (found.expected, found.mcse):
        yield f"By the restated data, {_expected(again)}."


def _expected(found: ErrorBudget) -> str:
    if found.expected <= found.mcse:
        return f"fewer than {found.expected + 2 * found.mcse:.3f}"
    return f"{found.expected:.3f} (Monte-Carlo error {error_text(found.mcse)})"
