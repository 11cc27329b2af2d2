"""A ledger made by hand, with every date given: nothing is sampled."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from publication_cases import AFTERWARDS, BEFORE, MEANS, Case, make_case, write_hand_run

from violencescore.rounds import statements
from violencescore.rounds.history import append, build_rounds, current_round
from violencescore.rounds.ledger import Entry, read_ledger, write_entry

IN_WINDOW = datetime(2026, 7, 2, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Process:
    """A ledger on its way, and the case that it is about."""

    case: Case
    folder: Path
    now: datetime = BEFORE
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return read_ledger(self.folder) if self.folder.exists() else ()

    def add(self, kind: str, facts: dict, now: datetime | None = None, number: int | None = None) -> Entry:
        self.now = now or self.now
        entry = append(self.entries, self.case.key, kind, facts, number=number, now=self.now)
        write_entry(self.folder, entry)
        return entry

    def terms(self, chain=None, **more) -> dict:
        return statements.terms(chain or self.case.chain, build_rounds(self.entries), **more)

    def announce(self, chain=None, now=None, **more) -> Entry:
        number = len(build_rounds(self.entries)) + 1
        return self.add("announced", {**self.terms(chain, **more), "title": "By hand"}, now, number)

    def open(self, now=IN_WINDOW) -> Entry:
        window = current_round(self.entries).in_force["window"]
        return self.add("opened", {"start": window["start"], "end": window["end"]}, now)

    def verdict(self, now=AFTERWARDS) -> Entry:
        self.files = self.files or self.case.publish(self.folder.parent / f"{self.folder.name}-bundle")
        stop = current_round(self.entries).in_force["stop"]
        return self.add("verdict", statements.verdict(self.files, stop), now)

    def name(self, organization=None) -> Entry:
        selected = current_round(self.entries).verdict.facts["selected"]
        return self.add("named", {"organization": organization or selected, "statement": ""})

    def report(self, now=LATER, **more) -> Entry:
        """A report on a later period, from a run made by hand in which the target does less."""
        run = self.later_run(**more)
        return self.add("progress", statements.progress(run, current_round(self.entries)), now)

    def later_run(self, means=(9, 12, 8), start="2026-09-10", end="2026-11-15", **more):
        from publication_cases import METHODOLOGY, write_tables

        base = self.folder.parent / f"later-{len(list(self.folder.parent.glob('later-*')))}"
        text = more.pop("methodology", METHODOLOGY)
        more["methodology"] = text.replace("2026-07-01", start).replace("2026-08-25", end)
        assessment = write_tables(base / "assessment", **more)
        incidents = (assessment / "incidents.csv").read_text().splitlines()
        moved = [incidents[0], *(f"CASE-{n:03},2026-10-{1 + n % 28:02},R{n % 3}" for n in range(40))]
        (assessment / "incidents.csv").write_text("\n".join(moved) + "\n")
        return write_hand_run(base / "run", assessment, means=means)

    def victory(self) -> Entry:
        target = current_round(self.entries).target
        return self.add("victory", {"organization": target, "reason": "Its leaders are in custody."})


def make_process(folder: Path, means=MEANS["selected"], **more) -> Process:
    return Process(make_case(folder / "case", means=means, **more), folder / "ledger")


def run_to(process: Process, kind: str) -> Process:
    """Take a process to an entry of a kind, by the shortest way."""
    for step in ("announce", "open", "verdict", "name", "report", "victory"):
        getattr(process, step)()
        if process.entries[-1].kind == kind:
            return process
    raise AssertionError(kind)
