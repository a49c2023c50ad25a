"""The judge of a bake: what it makes of counts, its own and the platform's, and when it has seen enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ctrain.bake import BakeSettings, Scores, Watched, judge
from ctrain.betting import share_wealth
from ctrain.telemetry import Measured, Span
from ctrain.verdict import Outcome, Verdict

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def told(*minutes: dict[str, int], percentiles: dict[int, float] | None = None) -> Measured:
    """What a platform told, minute by minute from noon on."""
    began = (NOON + timedelta(minutes=place) for place in range(len(minutes)))
    return Measured(tuple(Span(at, 60.0, of, percentiles or {}) for at, of in zip(began, minutes, strict=True)))


def outcomes(verdict: Verdict) -> list[Outcome]:
    return [finding.outcome for finding in verdict.findings]


def last(settings: BakeSettings, seen: Watched) -> Verdict:
    return judge(settings, seen, watches=1, over=True)


def test_a_deployment_that_fails_is_found_out_soon() -> None:
    """One answer in four fails where one in a hundred may: two dozen answers tell."""
    verdict = judge(BakeSettings(errors=0.01), Watched(requests=24, errors=6), watches=4, over=False)

    assert verdict.outcome is Outcome.FAIL
    assert "6 of 24 failed" in verdict.findings[0].says


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (Watched(), Outcome.INCONCLUSIVE),
        (Watched(requests=99), Outcome.INCONCLUSIVE),
        (Watched(requests=100), Outcome.PASS),
        (Watched(requests=100, slow=60), Outcome.FAIL),
    ],
)
def test_too_little_is_never_a_pass(seen: Watched, outcome: Outcome) -> None:
    """No data is inconclusive, once the time is over."""
    assert last(BakeSettings(errors=0.01, p95_ms=100), seen).outcome is outcome


def test_what_leans_to_a_no_is_no_pass() -> None:
    """Five of fifteen bad ones, where one of twenty may be: too few for proof, and nothing to go on with."""
    settings, seen = BakeSettings(errors=0.05, min_requests=15), Watched(requests=15, errors=5)

    assert judge(settings, seen, watches=4, over=False).outcome is Outcome.PASS
    assert judge(settings, seen, watches=4, over=True).outcome is Outcome.INCONCLUSIVE


def test_answers_that_were_not_compared_decide_nothing() -> None:
    """Rules on both versions' answers have counts of their own."""
    verdict = last(BakeSettings(errors=0.01, changed=0.1, drift=0.1), Watched(requests=500))

    assert outcomes(verdict) == [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE]


def test_no_rule_is_an_error() -> None:
    """What judges nothing has not passed."""
    assert last(BakeSettings(), Watched(requests=1000)).outcome is Outcome.ERROR


def test_errors_that_only_users_see_give_a_version_up() -> None:
    """Its own questions are all answered; of the users' requests one in ten is not."""
    seen = Watched(requests=200, platform=told({"2xx": 270, "5xx": 30}), age=70.0)

    finding = judge(BakeSettings(errors=0.01), seen, watches=3, over=False).findings[0]

    assert finding.outcome is Outcome.FAIL
    assert "of 300 that the platform counted, 30" in finding.says
    assert finding.measured["platform_5xx"] == 30
    assert finding.measured["platform_age_s"] == 70
    assert finding.measured["platform_until"] == (NOON + timedelta(minutes=1)).timestamp()
    assert finding.measured["e_platform"] == share_wealth(30, 300, 0.01)
    assert finding.measured["e_value"] == (share_wealth(0, 200, 0.01) + share_wealth(30, 300, 0.01)) / 2
    assert finding.measured["e_value"] >= finding.measured["e_needed"] == pytest.approx(300)


def test_a_reading_takes_the_place_of_the_one_before() -> None:
    """The counts of the first minute are in the second reading too, and weigh in it once."""
    once = told({"2xx": 98, "5xx": 2})
    again = told({"2xx": 98, "5xx": 2}, {"2xx": 98, "5xx": 2})

    finding = judge(BakeSettings(errors=0.02), Watched(platform=again), watches=1, over=False).findings[0]

    assert (once.requests, finding.measured["platform_asked"], finding.measured["platform_bad"]) == (100, 200, 4)


def test_fresh_counts_of_users_are_data_and_stale_ones_are_not() -> None:
    """A hundred of their requests are as good as a hundred questions, unless that was long ago."""
    fresh = Watched(requests=20, platform=told({"2xx": 500}), age=300.0)
    stale = Watched(requests=20, platform=told({"2xx": 500}), age=601.0)

    assert last(BakeSettings(errors=0.01), fresh).outcome is Outcome.PASS
    assert last(BakeSettings(errors=0.01), stale).outcome is Outcome.INCONCLUSIVE
    assert "stale" in last(BakeSettings(errors=0.01), stale).notes[0]


def test_users_waits_give_a_version_up_and_never_let_it_pass() -> None:
    """In each minute half of the requests took 2 s or longer; by the percentiles alone that is sure."""
    slow = told(*[{"2xx": 100}] * 3, percentiles={50: 2000.0, 90: 2500.0, 95: 2600.0, 99: 3000.0})
    quick = told(*[{"2xx": 100}] * 3, percentiles={50: 20.0, 90: 25.0, 95: 26.0, 99: 30.0})

    assert last(BakeSettings(p95_ms=250), Watched(requests=200, platform=slow)).outcome is Outcome.FAIL
    assert last(BakeSettings(p95_ms=250), Watched(requests=20, platform=quick)).outcome is Outcome.INCONCLUSIVE
    assert last(BakeSettings(p95_ms=250), Watched(requests=200, platform=quick)).outcome is Outcome.PASS


def test_a_platform_that_cannot_be_read_is_told_and_decides_nothing() -> None:
    """The verdict is what ctrain's own answers say, and says so."""
    verdict = last(BakeSettings(errors=0.01), Watched(requests=100, silence="not allowed: Microsoft.Insights"))

    assert verdict.outcome is Outcome.PASS
    assert "not allowed: Microsoft.Insights" in verdict.notes[0]


def pairs(scores: Scores, *of: tuple[float | None, float | None]) -> Scores:
    for new, old in of:
        scores = scores.seen(new, old)
    return scores


KNOWN = tuple(place / 20 for place in range(1, 20))


def test_scores_that_all_moved_are_found() -> None:
    """Each answer by itself changed by less than the tolerance allows: the distribution has moved all the same."""
    scores = pairs(Scores.cut_at(KNOWN), *[(score + 0.06, score) for score in KNOWN * 10])

    verdict = last(BakeSettings(changed=0.05, drift=0.02), Watched(requests=190, compared=190, scores=scores))

    assert outcomes(verdict) == [Outcome.PASS, Outcome.FAIL]
    assert verdict.findings[1].measured["distance"] == scores.distance == pytest.approx(2 / 19)


def test_scores_that_changed_places_have_not_drifted() -> None:
    """Every answer is another one, and the distribution is the same: that is for the rule on changed answers."""
    scores = pairs(Scores.cut_at(KNOWN), *[(new, old) for new, old in zip(KNOWN[::-1] * 10, KNOWN * 10, strict=True)])

    verdict = last(BakeSettings(changed=0.05, drift=0.02), Watched(190, compared=190, changed=180, scores=scores))

    assert outcomes(verdict) == [Outcome.FAIL, Outcome.PASS]


def test_what_is_no_number_lies_beyond_all_numbers() -> None:
    """A new model that gives none where the old one did has drifted; two that give none are not compared."""
    scores = pairs(Scores.cut_at(KNOWN), *[(None, score) for score in KNOWN * 6])
    neither = pairs(Scores.cut_at(KNOWN), *[(None, None)] * 500)

    assert last(BakeSettings(drift=0.1), Watched(scores=scores)).outcome is Outcome.FAIL
    assert last(BakeSettings(drift=0.1), Watched(scores=neither)).outcome is Outcome.INCONCLUSIVE


def test_scores_cannot_be_cut_where_none_are_known() -> None:
    """Without the gate's scores drift is not judged, and what is not judged does not pass."""
    scores = pairs(Scores.cut_at(()), *[(0.1, 0.9)] * 500)

    assert last(BakeSettings(drift=0.1), Watched(scores=scores)).outcome is Outcome.INCONCLUSIVE


def test_the_false_alarms_are_shared_out() -> None:
    """Among four rules and five watches, each has a twentieth of them."""
    settings = BakeSettings(errors=0.01, p95_ms=100, changed=0.1, drift=0.1, false_alarms=0.02)

    verdict = judge(settings, Watched(), watches=5, over=True)

    assert [finding.measured["e_needed"] for finding in verdict.findings] == pytest.approx([1000] * 4)


def test_more_than_allowed_that_is_no_proof_says_so() -> None:
    """Two of 150 failed where 1% may: a reader must not wonder why that is a pass."""
    verdict = last(BakeSettings(errors=0.01, p95_ms=100), Watched(requests=150, errors=2, slow=7))

    assert verdict.outcome is Outcome.PASS
    assert verdict.findings[0].says.endswith("2 of 150 failed, at most 1.0% may: chance may explain that")
    assert verdict.findings[1].says.endswith("7 of 150 were slower, at most 5.0% may")
