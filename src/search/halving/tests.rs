use super::*;
use crate::random::{Random, Stream};

fn halving(rungs: usize, max_time: u64, divisor: f64, trials: usize) -> Halving {
    let metric = Metric { name: "loss".into(), smaller_is_better: true };
    Halving { metric, time_metric: None, divisor, brackets: vec![Bracket::new(rungs, max_time, divisor, trials)] }
}

/// Runs trials one after the other, each with the same metric at all times; returns how many rungs each reached.
fn one_by_one(halving: &Halving, metrics: &[f64]) -> Vec<usize> {
    let judge = Judge::new(halving.clone(), Arc::default());
    let reached = |(trial, metric): (usize, &f64)| {
        let last = *halving.brackets[0].rungs.last().unwrap();
        for time in 1..=last {
            if judge.report(trial, time, *metric) != Verdict::Continue {
                break;
            }
        }
        judge.end(trial, false);
        judge.rungs(trial)
    };
    metrics.iter().enumerate().map(reached).collect()
}

#[test]
fn trials_that_get_better_all_go_to_the_top() {
    let metrics: Vec<f64> = (0..12).map(|trial| -f64::from(trial)).collect();
    assert_eq!(one_by_one(&halving(3, 9, 3.0, 12), &metrics), [3; 12]);
}

#[test]
fn trials_that_get_worse_stop_at_the_first_rung_unless_one_of_divisor_may_go_on() {
    // The first is alone. From the sixth on two of each rung's trials go on, from the ninth on three, but none is among
    // the best so many, since all before it were better.
    let metrics: Vec<f64> = (0..12).map(f64::from).collect();
    assert_eq!(one_by_one(&halving(3, 9, 3.0, 12), &metrics), [3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn rungs_simulated_by_hand() {
    // Divisor 2, rungs at 1, 2 and 4. Rung 1 holds, trial by trial:
    //   5 | 5 7 | 5 6 7 | 4 5 6 7 | 4 5 5.5 6 7 | 4 5 5.5 6 6.5 7 | 3 ...
    // Going on are the best 1, 1, 1, 2, 2, 3, 3: trials 1, 4, 7 are; the second of four would be.
    let metrics = [5.0, 7.0, 6.0, 4.0, 5.5, 6.5, 3.0, 4.5];
    // Rung 2 holds 5 | 4 5 | 3 4 5 | 3 4 4.5 5: trial 8 is third of four there, where two go on.
    assert_eq!(one_by_one(&halving(3, 4, 2.0, 8), &metrics), [3, 1, 1, 3, 1, 1, 3, 2]);
}

#[test]
fn as_the_rule_read_again_by_someone_else_says() {
    // The rule in its plainest words: sorted lists, one trial at a time.
    let again = |rungs: &[u64], divisor: f64, metrics: &[Vec<f64>]| -> Vec<usize> {
        let mut lists: Vec<Vec<f64>> = vec![Vec::new(); rungs.len()];
        let trial = |curve: &Vec<f64>| {
            let mut reached = 0;
            for (time, metric) in (1..).zip(curve) {
                while reached < rungs.len() && rungs[reached] <= time {
                    let list = &mut lists[reached];
                    let place = list.partition_point(|known| known < metric);
                    list.insert(place, *metric);
                    reached += 1;
                    let going_on = ((list.len() as f64 / divisor).floor() as usize).max(1);
                    if reached == rungs.len() || place >= going_on {
                        return reached;
                    }
                }
            }
            reached
        };
        metrics.iter().map(trial).collect()
    };
    for seed in 0..20 {
        let mut random = Random::new(seed, Stream::Script, &[]);
        let (count, divisor) = (40, [2.0, 3.0, 4.0, 2.5][seed as usize % 4]);
        let rule = halving(1 + seed as usize % 5, 17, divisor, count);
        let curve = |random: &mut Random| (0..17).map(|_| f64::from(random.bits() % 50)).collect::<Vec<f64>>();
        let metrics: Vec<Vec<f64>> = (0..count).map(|_| curve(&mut random)).collect();
        let expected = again(&rule.brackets[0].rungs, divisor, &metrics);
        // Many at once, each in a thread of its own: the answers are those of one after the other.
        let judge = Judge::new(rule, Arc::default());
        std::thread::scope(|scope| {
            for (trial, curve) in metrics.iter().enumerate() {
                let judge = &judge;
                scope.spawn(move || {
                    let mut verdicts = (1..).zip(curve).map(|(time, metric)| judge.report(trial, time, *metric));
                    let _ = verdicts.find(|verdict| *verdict != Verdict::Continue);
                    judge.end(trial, false);
                });
            }
        });
        let reached: Vec<usize> = (0..count).map(|trial| judge.rungs(trial)).collect();
        assert_eq!(reached, expected, "seed {seed}");
    }
}

#[test]
fn a_trial_that_failed_is_the_worst_of_its_next_rung() {
    let judge = Judge::new(halving(2, 4, 2.0, 4), Arc::default());
    // Rungs at 2 and 4. The first fails on its way to rung 1, the second on its way to the top.
    judge.end(0, true);
    assert_eq!(judge.report(1, 2, 9.0), Verdict::Continue);
    judge.end(1, true);
    // With two before it, one of three goes on.
    assert_eq!(judge.report(2, 2, 10.0), Verdict::Stop);
    judge.end(2, false);
    // Two of four go on.
    assert_eq!(judge.report(3, 2, 9.5), Verdict::Continue);
    assert_eq!(judge.report(3, 4, 1e9), Verdict::Done);
    let judge = Judge::new(halving(2, 4, 4.0, 2), Arc::default());
    assert_eq!(judge.report(0, 4, 1.0), Verdict::Done);
    // What a trial does after it was told to stop changes nothing.
    judge.end(0, true);
    assert_eq!(judge.rungs(0), 2);
}

#[test]
fn several_rungs_may_be_reached_at_once_and_more_is_better_where_it_is() {
    let mut rule = halving(3, 16, 4.0, 2);
    rule.metric.smaller_is_better = false;
    rule.time_metric = Some("epochs".into());
    let report = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
    assert_eq!(rule.measure(&report(r#"{"loss": 2, "epochs": 4}"#)).unwrap(), (Some(4), -2.0));
    assert_eq!(rule.measure(&report(r#"{"loss": "nan", "epochs": 4.9}"#)).unwrap(), (Some(4), f64::INFINITY));
    let error = rule.measure(&report(r#"{"val": 2, "epochs": 4}"#)).unwrap_err();
    assert_eq!(error.message(), "the search compares trials by `loss`, which the report does not have");
    let error = rule.measure(&report(r#"{"loss": 2}"#)).unwrap_err();
    assert_eq!(error.message(), "the search counts the time of trials by `epochs`, which the report does not have");
    let error = rule.measure(&report(r#"{"loss": true, "epochs": 1}"#)).unwrap_err();
    assert_eq!(error.message(), "the search compares trials by `loss`: expected a number, found true");
    let judge = Judge::new(rule, Arc::default());
    assert_eq!(judge.report(0, 5, 1.0), Verdict::Continue);
    assert_eq!(judge.rungs(0), 2);
    assert_eq!(judge.report(1, 16, 2.0), Verdict::Stop);
    assert_eq!(judge.rungs(1), 1);
}

#[test]
fn waiting_ends_when_someone_asks_to_stop() {
    let stop = Arc::new(AtomicBool::new(false));
    let judge = Judge::new(halving(2, 4, 2.0, 3), stop.clone());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| judge.report(2, 4, 1.0));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(waiting.join().unwrap(), Verdict::Interrupted);
    });
    let judge = Judge::new(halving(2, 4, 2.0, 3), Arc::default());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| judge.report(2, 4, 1.0));
        judge.give_up();
        assert_eq!(waiting.join().unwrap(), Verdict::Interrupted);
    });
}

#[test]
fn what_an_earlier_run_found_is_what_it_was() {
    let rule = halving(3, 4, 2.0, 3);
    let reports: Vec<Map<String, Value>> =
        [5, 4, 3, 2].iter().map(|loss| [("loss".to_owned(), Value::from(*loss))].into_iter().collect()).collect();
    let judge = Judge::new(rule.clone(), Arc::default());
    judge.restore(0, &reports, 3, false, false);
    assert_eq!(judge.lock()[0].metrics, [5.0, 4.0, 2.0]);
    // It was stopped at rung 1, and reported once more afterwards.
    judge.restore(1, &reports, 1, false, true);
    assert_eq!(judge.lock()[1].metrics, [5.0]);
    // It failed on its way to rung 2.
    judge.restore(2, &reports[..1], 1, true, false);
    assert_eq!(judge.lock()[2].metrics, [5.0, f64::INFINITY]);
}
