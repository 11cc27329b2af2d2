"""The page of a bundle: derived and checked as its tables are, and telling no more than its level allows."""

import json
import re

import pytest
from publication_cases import Case, make_case

from violencescore.publication import small_verifier
from violencescore.publication.verify import has_passed, verify
from violencescore.report.page import page_parts


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return make_case(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def bundle(case, tmp_path_factory) -> dict[str, bytes]:
    return case.publish(tmp_path_factory.mktemp("bundle") / "b")


def explain(_, ids):
    steps = [{"item": "before the evidence", "bits": -1.0, "p": 0.3}]
    return {key: {"focus": "g0", "p_staged": 0.0, "steps": steps} for key in ids}


def data_of(files):
    return page_parts(files["page.html"].decode())[1]


def changed(files, change):
    """The files with the data of the page changed by a function, the page else as it was."""
    html = files["page.html"].decode()
    _, data = page_parts(html)
    change(data)
    text = json.dumps(data).replace("<", "\\u003c")
    html = re.sub('(?<=id="data">).*?(?=</script>)', lambda _: text, html, flags=re.DOTALL)
    return {**files, "page.html": html.encode()}


def small(files, folder):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return dict(small_verifier.verify(folder))


def test_the_page_of_a_bundle_follows_from_it(case, bundle, tmp_path):
    checks = verify(bundle)
    assert has_passed(checks)
    assert "page.html follows from what is stated and drawn" in [check.name for check in checks]
    found = small(bundle, tmp_path)
    assert all(found.values()) and "the page shows the ranking, and computes from the draws" in found
    said = data_of(bundle)["publication"]
    assert said["commitments"][0]["sha256"] == case.chain[0].sha256
    assert said["key"] == case.chain[0].statement["public_key"]


def test_last_digits_that_another_machine_may_give_pass(case, bundle):
    def nudge(data):
        data["ranking"][0]["p_first_mcse"] *= 1 + 1e-12

    assert has_passed(verify(case.sign(changed(bundle, nudge))))


@pytest.mark.parametrize("what", ["figure", "draws", "words", "program", "no page"])
def test_a_forged_page_fails_although_it_is_signed_anew(case, bundle, tmp_path, what):
    def forge(data):
        if what == "figure":
            data["ranking"][0]["p_first"] *= 0.99
        elif what == "draws":
            data["draws"]["harm"][0] = data["draws"]["harm"][1]
        elif what == "words":
            data["phrases"]["recorded"]["en"] = "This counts everything."

    forged = changed(bundle, forge)
    if what == "program":
        forged["page.html"] = forged["page.html"].replace(b"const MIN_DRAWS = 10", b"const MIN_DRAWS = 99")
    if what == "no page":
        forged["page.html"] = b"<html></html>"
    forged = case.sign(forged)
    failed = [check.name for check in verify(forged) if check.status == "fail"]
    assert failed == ["page.html follows from what is stated and drawn"]
    if what in ("figure", "draws", "no page"):
        assert not all(small(forged, tmp_path).values())


def test_the_page_tells_what_its_level_allows(case, tmp_path):
    found = {level: case.publish(tmp_path / level, level) for level in ("aggregate", "coarsened")} | {
        "full": publish_full(case, tmp_path)
    }
    assert all(has_passed(verify(files)) for files in found.values())
    pages = {level: data_of(files) for level, files in found.items()}
    assert pages["aggregate"]["evidence"] is None and "evidence.json" not in found["aggregate"]
    assert pages["coarsened"]["evidence"]["named"] and pages["coarsened"]["incidents"] is None
    rows = pages["full"]["incidents"]["rows"]
    assert len(rows) == pages["full"]["incidents"]["total"] > 10
    assert rows[0]["weight"] == max(row["weight"] for row in rows)
    assert rows[0]["waterfall"]["focus"] == "g0"
    assert {row["incident_id"][:5] for row in rows} == {"CASE-"}
    for level in ("aggregate", "coarsened"):
        assert b"CASE-0" not in found[level]["page.html"]
        assert b"Diario Secreto" not in found[level]["page.html"]


def publish_full(case, tmp_path):
    from publication_cases import AFTERWARDS

    from violencescore.publication.publish import Disclosed, publish

    disclosed = Disclosed("full", case.assessment, explain=explain)
    return publish(case.run, case.chain, case.key, tmp_path / "full", disclosed, now=AFTERWARDS)


@pytest.mark.parametrize("path", ["evidence.json", "waterfalls.json"])
def test_what_tells_of_incidents_may_not_stand_in_an_aggregate_bundle(case, bundle, path):
    forged = case.sign({**bundle, path: b'{"named": [], "staged": []}'})
    failed = [check.name for check in verify(forged) if check.status == "fail"]
    assert "Nothing is told beyond the level of disclosure" in failed


def test_sealed_weights_are_not_in_the_page(tmp_path):
    case = make_case(tmp_path, sealed=True)
    files = case.publish(tmp_path / "b")
    assert has_passed(verify(files))
    assert data_of(files)["panel"] is None
    assert b'"P1"' not in files["page.html"]
