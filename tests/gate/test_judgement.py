"""The verdict over a project's rules: what passes, what never does, and what is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrain.gate import METRICS, Categories, EvaluationSettings, Evidence, GateSettings, Rule, Slices, judge
from ctrain.gate.settings import Baseline, Direction
from ctrain.verdict import Finding, Outcome, Verdict
from tests.gate.cases import (
    BINARY,
    BINARY_METRICS,
    MULTICLASS,
    MULTICLASS_METRICS,
    RANKING,
    RANKING_METRICS,
    REGRESSION,
    REGRESSION_METRICS,
    a_hundred_and_more,
    classified,
    gate,
    measured,
    non_inferior,
    scored,
    searched,
    sliced,
)

FLOOR = Rule(direction="up", rule="absolute", floor=0.6)
AUC = gate(auc=non_inferior(margin=0.05, floor=0.6))
CHAMPION = "visits:3"


def judged(
    rules: GateSettings = AUC,
    evidence: Evidence | None = None,
    champion: str | None = CHAMPION,
    evaluation: EvaluationSettings = BINARY,
    comparable: bool = True,
    **logged: float,
) -> Verdict:
    rows = a_hundred_and_more(2000) if evidence is None else evidence
    return judge(rules, evaluation, rows, champion=champion, logged=logged, comparable=comparable)


def found(verdict: Verdict, subject: str) -> Finding:
    return next(finding for finding in verdict.findings if finding.subject == subject)


def test_a_good_challenger_passes() -> None:
    """One finding for the floor, one against the champion, with what was measured."""
    verdict = judged()
    assert verdict.outcome is Outcome.PASS
    assert [finding.subject for finding in verdict.findings] == ["auc floor", "auc against the champion"]
    against = found(verdict, "auc against the champion").measured
    assert set(against) == {
        "challenger",
        "champion",
        "difference",
        "low",
        "high",
        "margin",
        "least",
        "rows",
        "confidence",
    }
    assert against["challenger"] - against["champion"] == pytest.approx(against["difference"])
    assert verdict.notes == ("compared with visits:3, on the same rows",)


def test_a_worse_challenger_fails() -> None:
    """Noise beyond the margin."""
    evidence = scored(4000, np.random.default_rng(0), ours=3.0)
    assert judged(gate(auc=non_inferior(margin=0.01)), evidence).outcome is Outcome.FAIL


def test_too_narrow_a_margin_is_inconclusive() -> None:
    """And says how many rows would decide."""
    verdict = judged(gate(auc=non_inferior(margin=0.001)), scored(300, np.random.default_rng(1), ours=0.6))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "would decide" in verdict.findings[0].says


def test_a_challenger_under_its_floor_fails_whatever_the_champion() -> None:
    """Both being bad is not good."""
    assert judged(gate(auc=non_inferior(floor=0.99))).outcome is Outcome.FAIL


def test_without_a_champion_only_limits_are_judged() -> None:
    """And a note says so."""
    verdict = judged(champion=None)
    assert verdict.outcome is Outcome.PASS
    assert [finding.subject for finding in verdict.findings] == ["auc floor"]
    assert "no champion yet: auc could not be compared" in verdict.notes[0]


def test_without_a_champion_and_without_a_limit_nothing_passes() -> None:
    """A first model needs a floor."""
    verdict = judged(gate(auc=non_inferior()), champion=None)
    assert verdict.outcome is Outcome.ERROR
    assert "add a floor" in found(verdict, "gate").says


def test_a_champion_without_predictions_is_an_error() -> None:
    """Its metric of an old run is never compared with; what to do is said."""
    verdict = judged(evidence=replace(a_hundred_and_more(2000), champion=None))
    assert verdict.outcome is Outcome.ERROR
    says = found(verdict, "auc against the champion").says
    assert "visits:3" in says
    assert "champion_prediction" in says


def test_a_sample_is_compared_for_information_only() -> None:
    """A challenger of a sample may well be worse than a champion of everything: the floor decides."""
    evidence = scored(4000, np.random.default_rng(0), ours=1.5)
    verdict = judged(gate(auc=non_inferior(margin=0.001, floor=0.6)), evidence, comparable=False)
    assert verdict.outcome is Outcome.PASS
    against = found(verdict, "auc against the champion")
    assert against.outcome is Outcome.FAIL
    assert not against.blocking
    assert "trained on all the data" in verdict.notes[0]


def test_a_sample_without_a_limit_does_not_pass() -> None:
    """Nothing would have been judged."""
    verdict = judged(gate(auc=non_inferior()), comparable=False)
    assert verdict.outcome is Outcome.ERROR
    assert "sample" in found(verdict, "gate").says


def test_advisory_rules_alone_do_not_pass() -> None:
    """A gate that blocks nothing is no gate."""
    verdict = judged(gate(auc=non_inferior(blocking=False)))
    assert verdict.outcome is Outcome.ERROR
    assert "no rule of the gate is blocking" in found(verdict, "gate").says


def test_contradicting_settings_are_errors_before_anything_is_measured() -> None:
    """A typo in a metric, here; `project` refuses it earlier, and the gate does not rely on that."""
    verdict = judged(gate(auk=non_inferior(), auc=FLOOR))
    assert [finding.subject for finding in verdict.findings] == ["gate.metrics.auk"]
    assert verdict.outcome is Outcome.ERROR
    assert judged(gate()).outcome is Outcome.ERROR


def test_too_few_rows_decide_nothing() -> None:
    """However good they look."""
    verdict = judged(evidence=scored(99, np.random.default_rng(0), ours=0.0))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "99 rows, and 100 are asked for" in verdict.findings[0].says


def test_too_few_groups_decide_nothing() -> None:
    """A thousand rows of nine persons are nine observations."""
    verdict = judged(evidence=scored(1000, np.random.default_rng(0), groups=9))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "only 9 groups" in verdict.findings[0].says


def test_groups_are_counted_in_the_findings() -> None:
    """What the interval rests on is said."""
    verdict = judged(evidence=scored(2000, np.random.default_rng(0), groups=200))
    assert "2,000 rows in 200 groups" in verdict.findings[0].says
    assert found(verdict, "auc against the champion").measured["groups"] == 200


@pytest.mark.parametrize("metric", ["auc", "average_precision"])
def test_one_label_only_is_an_error_for_ranks(metric: str) -> None:
    """The metric does not exist there."""
    rows = replace(a_hundred_and_more(), label=np.zeros(400))
    verdict = judged(gate(**{metric: FLOOR}), rows)  # type: ignore[arg-type]
    assert verdict.outcome is Outcome.ERROR
    assert "needs both labels" in verdict.findings[0].says


def test_few_rows_of_a_label_are_inconclusive_for_ranks() -> None:
    """Nine positives carry no interval."""
    label = np.zeros(400)
    label[:9] = 1
    verdict = judged(evidence=replace(a_hundred_and_more(), label=label))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "only 9 rows with a positive label" in verdict.findings[0].says


@pytest.mark.parametrize(
    ("metric", "label", "said", "words"),
    [
        ("f1", 0.0, 0.9, "needs positive labels"),
        ("recall", 0.0, 0.9, "needs positive labels"),
        ("precision", None, 0.1, "the challenger has none at the threshold 0.5"),
        ("log_loss", None, 1.5, "400 predictions of the challenger are not (row ids 0, 1, 2, 3, 4, ...)"),
        ("brier", None, -0.5, "needs probabilities between 0 and 1"),
    ],
)
def test_a_metric_that_does_not_exist_on_the_rows_is_an_error(
    metric: str, label: float | None, said: float, words: str
) -> None:
    """Said, instead of a zero that means nothing."""
    rows = a_hundred_and_more()
    evidence = replace(rows, challenger=np.full(400, said), label=rows.label if label is None else np.full(400, label))
    direction = METRICS[metric].direction
    verdict = judged(replace(gate(), metrics={metric: non_inferior(direction)}), evidence)
    assert verdict.outcome is Outcome.ERROR
    assert words in verdict.findings[0].says


def test_labels_that_are_all_the_same_have_no_r2() -> None:
    """There is nothing to explain."""
    rows = replace(measured(400, np.random.default_rng(0)), label=np.ones(400))
    verdict = judged(gate(r2=non_inferior()), rows, evaluation=REGRESSION)
    assert verdict.outcome is Outcome.ERROR
    assert "needs labels that differ" in verdict.findings[0].says


def test_identical_models_pass() -> None:
    """Even with a margin of zero."""
    rows = a_hundred_and_more()
    verdict = judged(gate(auc=non_inferior(margin=0)), replace(rows, champion=rows.challenger.copy()))
    assert verdict.outcome is Outcome.PASS


def test_a_logged_metric_is_judged_by_its_value() -> None:
    """As the training logged it."""
    rule = Rule(direction="down", rule="absolute", ceiling=0.5, source="logged")
    assert judged(gate(val_loss=rule), val_loss=0.4).outcome is Outcome.PASS
    assert judged(gate(val_loss=rule), val_loss=0.6).outcome is Outcome.FAIL
    missing = judged(gate(val_loss=rule), val_los=0.4)
    assert missing.outcome is Outcome.ERROR
    assert "did you mean val_los?" in missing.findings[0].says
    assert "it logged nothing" in judged(gate(val_loss=rule)).findings[0].says


def health(values: list[str | None], rows: int = 1500) -> Evidence:
    return sliced(a_hundred_and_more(rows), "health", [values[one % len(values)] for one in range(rows)])


def test_each_slice_is_judged_and_missing_values_are_one() -> None:
    """With the slices' own margin."""
    rules = gate(Slices(by=("health",), margin=0.2), auc=non_inferior())
    verdict = judged(rules, health(["good", "poor", None]))
    assert verdict.outcome is Outcome.PASS
    assert [finding.subject for finding in verdict.findings[1:]] == [
        "auc against the champion, health = good",
        "auc against the champion, health = poor",
        "auc against the champion, health = (missing)",
    ]
    assert all(finding.blocking and finding.measured["margin"] == 0.2 for finding in verdict.findings[1:])


def test_a_slice_that_got_worse_fails_the_verdict() -> None:
    """However good the whole is."""
    evidence = health(["good", "good", "good", "poor"], 4000)
    poor = evidence.slices["health"].codes == 1
    noise = np.random.default_rng(0).random(4000)
    worse = replace(evidence, challenger=np.where(poor, noise, evidence.challenger))
    verdict = judged(gate(Slices(by=("health",), margin=0.02), auc=non_inferior(margin=0.3)), worse)
    assert found(verdict, "auc against the champion").outcome is Outcome.PASS
    assert found(verdict, "auc against the champion, health = poor").outcome is Outcome.FAIL
    assert verdict.outcome is Outcome.FAIL


def test_a_small_slice_is_reported_and_decides_nothing() -> None:
    """199 rows, where 200 are asked for."""
    evidence = sliced(a_hundred_and_more(1000), "health", ["poor"] * 199 + ["good"] * 801)
    verdict = judged(gate(Slices(by=("health",), margin=0.2), auc=non_inferior()), evidence)
    small = found(verdict, "health = poor")
    assert (small.outcome, small.blocking) == (Outcome.INCONCLUSIVE, False)
    assert "199 rows, and 200 are asked for" in small.says
    assert verdict.outcome is Outcome.PASS


def test_a_slice_of_one_label_decides_nothing() -> None:
    """auc does not exist in it, which is the data's nature and nobody's mistake."""
    evidence = health(["good", "poor"])
    label = np.where(evidence.slices["health"].codes == 1, 0.0, evidence.label)
    verdict = judged(gate(Slices(by=("health",), margin=0.2), auc=non_inferior()), replace(evidence, label=label))
    one_label = found(verdict, "auc against the champion, health = poor")
    assert (one_label.outcome, one_label.blocking) == (Outcome.INCONCLUSIVE, False)


def test_a_slice_column_that_is_missing_fails() -> None:
    """Also before there is a champion: better known early."""
    rules = gate(Slices(by=("wealth",), margin=0.2), auc=non_inferior(floor=0.6))
    for champion in (CHAMPION, None):
        verdict = judged(rules, champion=champion)
        assert verdict.outcome is Outcome.FAIL
        assert "no column 'wealth'" in found(verdict, "slices by wealth").says


def test_a_column_with_a_value_a_row_is_no_slice() -> None:
    """A continuous column would make thousands of findings."""
    evidence = sliced(a_hundred_and_more(400), "age", [str(one) for one in range(400)])
    verdict = judged(gate(Slices(by=("age",), margin=0.2), auc=non_inferior()), evidence)
    assert verdict.outcome is Outcome.ERROR
    assert "400 values" in found(verdict, "slices by age").says


def test_a_relative_margin_is_a_share_of_the_champions_value() -> None:
    """At most 2% worse, of what the champion has."""
    finding = found(judged(gate(auc=non_inferior(margin="2%"))), "auc against the champion")
    assert finding.outcome is Outcome.PASS
    assert finding.measured["margin"] == 0.02
    expected = finding.measured["challenger"] / finding.measured["champion"] - 1
    assert finding.measured["difference"] == pytest.approx(expected)


def test_a_relative_margin_to_nothing_is_an_error() -> None:
    """A champion that explains nothing has an r2 about zero: no change is a share of that."""
    rows = measured(400, np.random.default_rng(0))
    empty = replace(rows, champion=np.full(400, rows.label.mean()) + np.random.default_rng(1).normal(size=400) / 100)
    verdict = judged(gate(r2=non_inferior(margin="5%")), empty, evaluation=REGRESSION)
    assert verdict.outcome is Outcome.ERROR
    assert "cannot be told from zero" in verdict.findings[0].says


@pytest.mark.parametrize(
    ("ours", "rule", "outcome"),
    [
        (0.2, Rule(direction="up", rule="superior"), Outcome.PASS),
        (0.2, Rule(direction="up", rule="superior", margin=0.5), Outcome.FAIL),
        (0.2, Rule(direction="up", rule="equivalent", margin=0.005), Outcome.FAIL),
        (0.6, Rule(direction="up", rule="equivalent", margin=0.05), Outcome.PASS),
        (0.6, Rule(direction="up", rule="superior"), Outcome.INCONCLUSIVE),
    ],
)
def test_superior_and_equivalent_ask_for_more_than_not_being_worse(ours: float, rule: Rule, outcome: Outcome) -> None:
    """The champion's noise is 0.6: at 0.2 the challenger is clearly better."""
    assert judged(gate(auc=rule), scored(3000, np.random.default_rng(2), ours=ours)).outcome is outcome


@pytest.mark.parametrize("metric", ["auc", "log_loss", "accuracy", "f1"])
def test_a_model_must_beat_a_constant_where_that_is_asked(metric: str) -> None:
    """Champion or not: one that has learnt passes, one that guesses does not."""
    rows = replace(a_hundred_and_more(2000), champion=None)
    direction: Direction = "down" if metric == "log_loss" else "up"
    rules = replace(gate(), metrics={metric: Rule(direction=direction, rule="absolute", beats=("majority",))})
    assert judged(rules, rows, champion=None).outcome is Outcome.PASS
    guess = replace(rows, challenger=np.random.default_rng(0).permutation(rows.challenger))
    verdict = judged(rules, guess, champion=None)
    assert verdict.outcome is not Outcome.PASS or metric == "f1"
    assert verdict.findings[0].subject == f"{metric} against always the majority"


@pytest.mark.parametrize("baseline", ["mean", "median"])
def test_a_regression_must_beat_its_constant(baseline: Baseline) -> None:
    """The mean of the labels has an r2 of zero, the median the lowest absolute error of all constants."""
    rows = replace(measured(500, np.random.default_rng(0)), champion=None)
    rules = gate(mae=Rule(direction="down", rule="absolute", beats=(baseline,)))
    assert judged(rules, rows, champion=None, evaluation=REGRESSION).outcome is Outcome.PASS
    constant = replace(rows, challenger=np.full(500, 30.0))
    assert judged(rules, constant, champion=None, evaluation=REGRESSION).outcome is Outcome.FAIL


def test_one_refusal_among_many_rules_is_not_believed_too_easily() -> None:
    """Beyond the margin at 97.5%, but not at what six rules ask for: inconclusive. Alone it is refused."""
    rows = a_hundred_and_more(3000)
    seen = found(judged(gate(auc=non_inferior(margin=0.05)), rows), "auc against the champion").measured
    # A margin that the interval just excludes: the challenger must be better by nearly all that was measured.
    asked = Rule(direction="up", rule="superior", margin=seen["high"] + 1e-6)
    others = dict.fromkeys(("accuracy", "f1", "recall", "precision", "specificity"), non_inferior(margin=0.2))
    assert judged(gate(auc=asked), rows).outcome is Outcome.FAIL
    among = judged(replace(gate(), metrics={"auc": asked, **others}), rows)
    assert found(among, "auc against the champion").outcome is Outcome.INCONCLUSIVE
    assert "by chance" in found(among, "auc against the champion").says


def test_an_expected_slice_that_is_missing_fails() -> None:
    """Nobody with `fair` health in the evaluation: the model was not seen on them."""
    slices = Slices(by=("health",), margin=0.2, expect={"health": ("good", "fair")})
    verdict = judged(gate(slices, auc=non_inferior()), health(["good", "poor"]))
    assert verdict.outcome is Outcome.FAIL
    assert "no row has it" in found(verdict, "health = fair").says


def test_an_expected_slice_that_is_small_is_inconclusive() -> None:
    """And blocks, where an unexpected one is only shown."""
    evidence = sliced(a_hundred_and_more(1000), "health", ["poor"] * 199 + ["good"] * 801)
    slices = Slices(by=("health",), margin=0.2, expect={"health": ("poor",)})
    verdict = judged(gate(slices, auc=non_inferior()), evidence)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert found(verdict, "health = poor").blocking


def test_slices_of_which_none_is_large_enough_do_not_pass() -> None:
    """Ten values of a hundred rows each: what was asked for was not looked at."""
    evidence = sliced(a_hundred_and_more(1000), "health", [str(one % 10) for one in range(1000)])
    verdict = judged(gate(Slices(by=("health",), margin=0.2), auc=non_inferior()), evidence)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no value of health has the 200 rows" in found(verdict, "slices by health").says


def test_undecided_slices_may_advise() -> None:
    """A margin that no slice can show: blocking by default, shown with `on_inconclusive: advise`."""
    blocks = Slices(by=("health",), margin=0.001)
    evidence = replace(health(["good", "poor"]), challenger=scored(1500, np.random.default_rng(0), ours=0.6).challenger)
    assert judged(gate(blocks, auc=non_inferior(margin=0.1)), evidence).outcome is Outcome.INCONCLUSIVE
    advises = judged(gate(replace(blocks, on_inconclusive="advise"), auc=non_inferior(margin=0.1)), evidence)
    assert advises.outcome is Outcome.PASS
    assert {finding.blocking for finding in advises.findings[1:]} == {False}


def test_a_slice_that_was_made_of_the_label_is_an_error() -> None:
    """Each of its values holds one label only: auc exists in none, and nothing would have been judged."""
    rows = a_hundred_and_more(1000)
    leaking = sliced(rows, "visited_again", ["yes" if label else "no" for label in rows.label])
    verdict = judged(gate(Slices(by=("visited_again",), margin=0.2), auc=non_inferior()), leaking)
    assert verdict.outcome is Outcome.ERROR
    assert "tell the label" in found(verdict, "slices by visited_again").says


def test_tiny_slices_of_one_label_each_are_no_leak() -> None:
    """Chance alone makes them so."""
    rows = a_hundred_and_more(30)
    tiny = sliced(
        rows, "who", [f"{one // 2 if rows.label[one] == rows.label[one - one % 2] else one + 99}" for one in range(30)]
    )
    verdict = judged(gate(Slices(by=("who",), margin=0.2), min_rows=10, auc=non_inferior()), tiny)
    assert "tell the label" not in str(verdict)


def test_answers_that_are_the_same_on_every_row_are_pointed_out() -> None:
    """Scoring one model twice looks like a model that is as good as the other."""
    rows = a_hundred_and_more(1000)
    verdict = judged(evidence=replace(rows, champion=rows.challenger.copy()))
    assert "scored one of them twice" in verdict.notes[1]


ALL = replace(
    gate(min_rows=10),
    metrics={
        name: Rule(
            direction=METRICS[name].direction,
            rule="non_inferior",
            margin=0.02,
            floor=0.3 if METRICS[name].direction == "up" else None,
            ceiling=0.9 if METRICS[name].direction == "down" else None,
        )
        for name in BINARY_METRICS
    },
    slices=Slices(by=("health",), margin=0.05, min_rows=50),
)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=3, deadline=None)
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    """Evidence is sorted by row id: the verdict is the same, to the last digit."""
    generator = np.random.default_rng(seed)
    rows, order = scored(250, generator), generator.permutation(250)
    names = Categories.of(generator.choice(["a", "b"], 250).tolist())

    def made(of: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Evidence:
        assert rows.champion is not None
        part = {"health": names.where(of)}
        return Evidence.of(rows.row_id[of], rows.label[of], rows.challenger[of], rows.champion[of], slices=part)

    assert judged(ALL, made(order)) == judged(ALL, made(np.arange(250)))


@given(seed=st.integers(0, 10_000), rows=st.integers(12, 200), groups=st.sampled_from([None, 15]))
@settings(max_examples=25, deadline=None)
def test_a_strictly_better_challenger_never_fails_against_its_champion(
    seed: int, rows: int, groups: int | None
) -> None:
    """It may be inconclusive on few rows, but no rule calls it worse.

    But for calibration: whose every score is nearer to the label is too timid, if it could have told them apart.
    """
    evidence = scored(rows, np.random.default_rng(seed), groups=groups)
    assert evidence.champion is not None
    nearer = 0.5 * evidence.champion + 0.5 * evidence.label
    rules = replace(ALL, metrics={name: rule for name, rule in ALL.metrics.items() if name != "calibration_error"})
    outcomes = {
        finding.outcome
        for finding in judged(rules, replace(evidence, challenger=nearer)).findings
        if finding.subject.endswith("against the champion")
    }
    assert Outcome.FAIL not in outcomes


@given(
    seed=st.integers(0, 10_000),
    column=st.sampled_from(["label", "challenger", "champion"]),
    value=st.sampled_from([float("nan"), float("inf"), float("-inf")]),
)
@settings(max_examples=20, deadline=None)
def test_nothing_passes_with_a_number_that_is_none(seed: int, column: str, value: float) -> None:
    """Also where somebody built the evidence past its checks."""
    generator = np.random.default_rng(seed)
    evidence = scored(150, generator)
    spoilt = getattr(evidence, column).copy()
    spoilt[generator.integers(150)] = value
    assert judged(AUC, replace(evidence, **{column: spoilt})).outcome is Outcome.ERROR


def test_nothing_passes_without_rows() -> None:
    """Also where somebody built the evidence past its checks."""
    assert judged(evidence=a_hundred_and_more().where(np.zeros(400, dtype=np.bool_))).outcome is Outcome.ERROR


@pytest.mark.parametrize("metric", REGRESSION_METRICS)
def test_regressions_are_judged_in_their_direction(metric: str) -> None:
    """The better model passes, and the two swapped do not."""
    rows = measured(1500, np.random.default_rng(0), ours=0.2, theirs=1.0)
    assert rows.champion is not None
    rules = replace(gate(), metrics={metric: non_inferior(METRICS[metric].direction, margin=0.01)})
    assert judged(rules, rows, evaluation=REGRESSION).outcome is Outcome.PASS
    other = replace(rows, challenger=rows.champion, champion=rows.challenger)
    assert judged(rules, other, evaluation=REGRESSION).outcome is Outcome.FAIL


def test_a_rerun_says_the_same() -> None:
    """Also where the interval is drawn: the seed comes from the evidence and the settings."""
    rules = gate(f1=non_inferior())
    assert judged(rules) == judged(rules)
    assert judged(rules) != judged(replace(rules, seed=1))


@pytest.mark.parametrize("metric", MULTICLASS_METRICS)
def test_models_of_several_classes_are_judged(metric: str) -> None:
    """The better model passes, and the two swapped do not; a guess does not beat the commonest class."""
    rows = classified(3000, np.random.default_rng(0), ours=0.1, theirs=1.5)
    assert rows.champion is not None
    rules = replace(gate(), metrics={metric: non_inferior(METRICS[metric].direction, margin=0.01)})
    assert judged(rules, rows, evaluation=MULTICLASS).outcome is Outcome.PASS
    other = replace(
        rows,
        challenger=rows.champion,
        champion=rows.challenger,
        shares=rows.champion_shares,
        champion_shares=rows.shares,
    )
    assert judged(rules, other, evaluation=MULTICLASS).outcome is Outcome.FAIL


def test_probabilities_that_a_metric_needs_and_rows_lack_are_an_error() -> None:
    """The answers alone have no log loss; their accuracy is judged."""
    rows = replace(classified(1000, np.random.default_rng(0)), shares=None, champion_shares=None)
    rules = replace(gate(), metrics={"log_loss": non_inferior("down"), "accuracy": non_inferior()})
    verdict = judged(rules, rows, evaluation=MULTICLASS)
    assert verdict.outcome is Outcome.ERROR
    assert "a column for each class" in found(verdict, "log_loss against the champion").says
    assert found(verdict, "accuracy against the champion").outcome is Outcome.PASS


def test_a_class_of_few_rows_leaves_a_macro_average_open() -> None:
    """Nine rows of a class carry no interval of their own."""
    rows = classified(1000, np.random.default_rng(0))
    label = np.where(np.arange(1000) < 9, 2.0, np.minimum(rows.label, 1))
    verdict = judged(gate(f1_macro=non_inferior()), replace(rows, label=label), evaluation=MULTICLASS)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "only 9 rows of the class c" in verdict.findings[0].says


def test_a_model_of_several_classes_must_beat_the_commonest() -> None:
    """Answers shuffled among the rows are worse than always the same."""
    rows = replace(classified(2000, np.random.default_rng(0)), champion=None, champion_shares=None)
    rules = gate(accuracy=Rule(direction="up", rule="absolute", beats=("majority",)))
    assert judged(rules, rows, champion=None, evaluation=MULTICLASS).outcome is Outcome.PASS
    guess = replace(rows, challenger=np.random.default_rng(1).permutation(rows.challenger))
    assert judged(rules, guess, champion=None, evaluation=MULTICLASS).outcome is Outcome.FAIL


@pytest.mark.parametrize("metric", RANKING_METRICS)
def test_rankings_are_judged_by_query(metric: str) -> None:
    """The better order passes, the worse does not; queries are what is counted."""
    rows = searched(400, np.random.default_rng(0), ours=0.1, theirs=1.0)
    assert rows.champion is not None
    rules = replace(gate(), metrics={metric: non_inferior(margin=0.01)})
    verdict = judged(rules, rows, evaluation=RANKING)
    assert verdict.outcome is Outcome.PASS
    assert "4,800 rows in 400 groups" in verdict.findings[0].says
    other = replace(rows, challenger=rows.champion, champion=rows.challenger)
    assert judged(rules, other, evaluation=RANKING).outcome is Outcome.FAIL


@pytest.mark.parametrize(("label", "words"), [(-1.0, "0 or more"), (0.0, "no label is above 0")])
def test_labels_that_are_no_relevance_are_an_error(label: float, words: str) -> None:
    """Nothing to put first, or less than nothing."""
    rows = searched(100, np.random.default_rng(0))
    verdict = judged(gate(ndcg=non_inferior()), replace(rows, label=np.full(1200, label)), evaluation=RANKING)
    assert verdict.outcome is Outcome.ERROR
    assert words in verdict.findings[0].says


def test_a_percentage_of_nothing_is_an_error() -> None:
    """mape has no value where a label is 0."""
    rows = measured(400, np.random.default_rng(0))
    label = np.where(np.arange(400) == 7, 0.0, rows.label)
    verdict = judged(gate(mape=non_inferior("down")), replace(rows, label=label), evaluation=REGRESSION)
    assert verdict.outcome is Outcome.ERROR
    assert "row id 7" in verdict.findings[0].says
