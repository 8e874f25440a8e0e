use serde_json::json;

use super::*;

fn read(section: Value) -> Result<Searcher> {
    Searcher::read(section.as_object().unwrap())
}

fn brackets(section: Value) -> Vec<(Vec<u64>, usize)> {
    let searcher = read(section).unwrap();
    let brackets = &searcher.halving().unwrap().brackets;
    brackets.iter().map(|bracket| (bracket.rungs.clone(), bracket.trials)).collect()
}

fn adaptive(mode: &str, max_trials: u64, max_time: u64) -> Vec<(Vec<u64>, usize)> {
    brackets(json!({
        "name": "adaptive_asha", "metric": "loss", "max_trials": max_trials, "max_time": max_time, "mode": mode
    }))
}

#[test]
fn rungs_are_a_divisor_apart_and_at_least_at_one() {
    let asha = |rungs: u64, time: u64, divisor: f64| {
        let section = json!({
            "name": "asha", "metric": "loss", "max_trials": 10, "max_time": time, "num_rungs": rungs, "divisor": divisor
        });
        brackets(section)
    };
    assert_eq!(asha(3, 9, 3.0), [(vec![1, 3, 9], 10)]);
    assert_eq!(asha(3, 16, 4.0), [(vec![1, 4, 16], 10)]);
    assert_eq!(asha(5, 8, 4.0), [(vec![1, 1, 1, 2, 8], 10)]);
    assert_eq!(asha(1, 7, 4.0), [(vec![7], 10)]);
}

#[test]
fn brackets_follow_the_mode() {
    // Four rungs: 64 is the third power of 4, and so is the number of trials. Weights 16, 16/3, 2, 1.
    let (four, three, two, one) = (vec![1, 4, 16, 64], vec![4, 16, 64], vec![16, 64], vec![64]);
    assert_eq!(adaptive("aggressive", 64, 64), [(four.clone(), 64)]);
    // Shares of 43.9, 14.6 and 5.5; the first gets what is left over.
    assert_eq!(adaptive("standard", 64, 64), [(four.clone(), 45), (three.clone(), 14), (two.clone(), 5)]);
    // Shares of 42.1, 14.0, 5.3 and 2.6.
    assert_eq!(adaptive("conservative", 64, 64), [(four, 43), (three, 14), (two, 5), (one, 2)]);
    // Few trials or little time make few rungs.
    assert_eq!(adaptive("aggressive", 15, 64), [(vec![16, 64], 15)]);
    assert_eq!(adaptive("aggressive", 64, 3), [(vec![3], 64)]);
    assert_eq!(adaptive("standard", 16, 8), [(vec![2, 8], 11), (vec![8], 5)]);
    assert_eq!(adaptive("standard", 1, 1), [(vec![1], 1)]);
}

#[test]
fn a_section_is_checked() {
    let refused = |section: Value| read(section).unwrap_err().message().to_owned();
    assert_eq!(refused(json!({})), "`searcher` has no `name`");
    assert_eq!(refused(json!({"name": "ahsa"})), "there is no searcher `ahsa`");
    assert_eq!(refused(json!({"name": "random"})), "`searcher` has no `max_trials`");
    assert_eq!(
        refused(json!({"name": "random", "max_trials": 0})),
        "`max_trials` of `searcher`: expected a whole number of at least 1, found 0"
    );
    assert_eq!(refused(json!({"name": "asha", "max_trials": 2, "max_time": 2})), "`searcher` has no `metric`");
    assert_eq!(refused(json!({"name": "asha", "metric": "a", "max_trials": 2})), "`searcher` has no `max_time`");
    assert_eq!(refused(json!({"name": "grid", "max_trails": 2})), "`searcher` has no key `max_trails`");
    let mode = json!({"name": "adaptive_asha", "metric": "a", "max_trials": 2, "max_time": 2, "mode": "lazy"});
    assert_eq!(refused(mode), "`mode` of `searcher` cannot be `lazy`");
    let divisor = json!({"name": "asha", "metric": "a", "max_trials": 2, "max_time": 2, "divisor": 1});
    assert_eq!(refused(divisor), "`divisor` of `searcher`: expected a number above 1, found 1");
    let searcher = read(json!({"name": "single", "metric": "val_loss", "smaller_is_better": false})).unwrap();
    let Metric { name, smaller_is_better } = searcher.metric.unwrap();
    assert_eq!((name.as_str(), smaller_is_better, searcher.max_concurrent_trials), ("val_loss", false, 16));
}
