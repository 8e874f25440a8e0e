//! Arrays: of one length in every lane (a column for each element), or of any length, lane by lane.

use std::sync::Arc;

use rhai::{Array as List, Dynamic};

use super::halt::{Halt, Outcome};
use super::run::Run;
use super::value::{Closure, Value};

/// Arrays longer than this are left to the engine, which knows its limits.
const LONGEST: i64 = 1 << 16;

/// Functions of an array that has the same length in every lane.
pub(super) fn call(run: &mut Run, name: &str, arguments: &mut [Value], len: usize) -> Outcome<Option<Value>> {
    let Some(Value::List(items)) = arguments.first().cloned() else { return Ok(None) };
    if let Some(Value::Closure(closure)) = arguments.get(1).cloned() {
        return with_function(run, name, &items, &closure, arguments.len(), len).map(Some);
    }
    // From here on the array itself may be changed without a copy.
    let rest: Vec<Value> = arguments[1..].to_vec();
    let own = |arguments: &mut [Value]| std::mem::replace(&mut arguments[0], Value::UNIT);
    Ok(match (name, rest.as_slice()) {
        ("len", []) => Some(Value::int(items.len() as i64)),
        ("is_empty", []) => Some(Value::bool(items.is_empty())),
        ("push", [value]) => {
            drop(items);
            if let Value::List(mut list) = own(arguments) {
                Arc::make_mut(&mut list).push(value.clone());
                arguments[0] = Value::List(list);
            }
            Some(Value::UNIT)
        }
        ("pad", [length, value]) => match length.same_int().filter(|length| (0..LONGEST).contains(length)) {
            Some(length) => {
                let mut list = items.to_vec();
                list.resize((length as usize).max(list.len()), value.clone());
                arguments[0] = Value::list(list);
                Some(Value::UNIT)
            }
            None => None,
        },
        ("truncate", [length]) => match length.same_int().and_then(|length| usize::try_from(length).ok()) {
            Some(length) => {
                arguments[0] = Value::list(items[..length.min(items.len())].to_vec());
                Some(Value::UNIT)
            }
            None => None,
        },
        ("contains", [wanted]) => {
            positions(&items, wanted).map(|found| Value::bools(found.into_iter().map(|at| at >= 0).collect()))
        }
        ("index_of", [wanted]) => positions(&items, wanted).map(Value::ints),
        _ => None,
    })
}

/// Returns for each lane the first position of what is wanted, or -1, when all are texts or whole numbers.
fn positions(items: &[Value], wanted: &Value) -> Option<Vec<i64>> {
    /// Above this many items they are looked up rather than compared one by one.
    const FEW: usize = 16;
    let at = |found: Option<usize>| found.map_or(-1, |at| at as i64);
    match wanted {
        Value::Texts(wanted) => {
            let items: Vec<_> = items.iter().map(Value::same_text).collect::<Option<_>>()?;
            let items: Vec<&str> = items.iter().map(|item| item.as_str()).collect();
            if items.len() <= FEW {
                // Texts that repeat in a table are shared: one that was found is known again by its place in memory.
                let mut known: Vec<(*const u8, usize, i64)> = Vec::with_capacity(FEW);
                let find = |text: &Arc<str>| {
                    let (start, length) = (text.as_ptr(), text.len());
                    if let Some((.., place)) = known.iter().find(|known| known.0 == start && known.1 == length) {
                        return *place;
                    }
                    let place = at(items.iter().position(|item| *item == &**text));
                    if known.len() < FEW {
                        known.push((start, length, place));
                    }
                    place
                };
                return Some(wanted.iter().map(find).collect());
            }
            let mut places = std::collections::HashMap::with_capacity(items.len());
            for (place, item) in items.iter().enumerate() {
                places.entry(*item).or_insert(place as i64);
            }
            Some(wanted.iter().map(|text| places.get(&**text).copied().unwrap_or(-1)).collect())
        }
        Value::Ints(wanted) => {
            let items: Vec<i64> = items.iter().map(Value::same_int).collect::<Option<_>>()?;
            Some(wanted.iter().map(|value| at(items.iter().position(|item| item == value))).collect())
        }
        _ => None,
    }
}

/// `map`, `filter`, `some` and `all`: the function is called once an element, for all lanes.
fn with_function(
    run: &mut Run,
    name: &str,
    items: &[Value],
    closure: &Arc<Closure>,
    arguments: usize,
    len: usize,
) -> Outcome<Value> {
    check_closure(run, name, closure, arguments)?;
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        let given = closure.captured.iter().cloned().chain([item.clone()]).collect();
        answers.push(run.call(closure.function, given, len)?);
    }
    match name {
        "map" => Ok(Value::list(answers)),
        "filter" => filtered(items, &answers, len),
        _ => {
            let all = name == "all";
            let truths = answers.iter().map(|answer| truth(answer, len)).collect::<Outcome<Vec<_>>>()?;
            let lane = |lane: usize| match all {
                true => truths.iter().all(|truth| truth[lane]),
                false => truths.iter().any(|truth| truth[lane]),
            };
            Ok(Value::bools((0..len).map(lane).collect()))
        }
    }
}

fn check_closure(run: &Run, name: &str, closure: &Closure, arguments: usize) -> Outcome<()> {
    let known = matches!(name, "map" | "filter" | "some" | "all") && arguments == 2;
    let takes = run.program.functions.get(closure.function).map(|function| function.parameters);
    // `some` and `all` end at the first answer that decides, which shows when numbers are drawn.
    let draws = closure.captured.iter().any(|value| matches!(value, Value::Rngs(_)));
    match known && takes == Some(closure.captured.len() + 1) && !(draws && matches!(name, "some" | "all")) {
        true => Ok(()),
        false => Err(Halt::new(format!("`{name}` with this function"))),
    }
}

fn truth(answer: &Value, len: usize) -> Outcome<Vec<bool>> {
    match answer {
        Value::Bools(truths) => Ok(truths.to_vec()),
        Value::Same(value) if value.is_bool() => Ok(vec![value.as_bool() == Ok(true); len]),
        _ => Err(Halt::new("a condition that is neither true nor false")),
    }
}

fn filtered(items: &[Value], answers: &[Value], len: usize) -> Outcome<Value> {
    let truths = answers.iter().map(|answer| truth(answer, len)).collect::<Outcome<Vec<_>>>()?;
    if truths.iter().all(|truth| truth.windows(2).all(|pair| pair[0] == pair[1])) {
        let kept = items.iter().zip(&truths).filter(|(_, truth)| truth.first() == Some(&true));
        return Ok(Value::list(kept.map(|(item, _)| item.clone()).collect()));
    }
    let lane = |lane: usize| {
        let kept = items.iter().zip(&truths).filter(|(_, truth)| truth[lane]);
        Ok(Dynamic::from(kept.map(|(item, _)| item.lane_or_halt(lane)).collect::<Outcome<List>>()?))
    };
    Ok(Value::compact((0..len).map(lane).collect::<Outcome<_>>()?))
}

/// Functions of arrays whose lengths differ; their elements become lanes of their own where a function is
/// called on each.
pub(super) fn call_ragged(run: &mut Run, name: &str, arguments: &mut [Value], len: usize) -> Outcome<Option<Value>> {
    let Some(Value::Each(values)) = arguments.first().cloned() else { return Ok(None) };
    if !values.iter().all(Dynamic::is_array) {
        return Ok(None);
    }
    if let Some(Value::Closure(closure)) = arguments.get(1).cloned() {
        check_closure(run, name, &closure, arguments.len())?;
        if !matches!(name, "map" | "filter") {
            return Err(Halt::new(format!("`{name}` of arrays whose lengths differ")));
        }
        return over_elements(run, name == "filter", &values, &closure).map(Some);
    }
    let rest: Vec<Value> = arguments[1..].to_vec();
    match (name, rest.as_slice()) {
        ("len", []) => {
            let length = |value: &Dynamic| value.as_array_ref().map_or(0, |list| list.len() as i64);
            Ok(Some(Value::ints(values.iter().map(length).collect())))
        }
        ("push", [item]) => {
            drop(values);
            changed(arguments, |at, list| {
                list.push(item.lane_or_halt(at)?);
                Ok(())
            })
        }
        ("truncate", [length]) => match length.same_int().and_then(|length| usize::try_from(length).ok()) {
            Some(length) => {
                drop(values);
                changed(arguments, |_, list| {
                    list.truncate(length);
                    Ok(())
                })
            }
            None => Ok(None),
        },
        ("pad", [length, item]) => match length.same_int().filter(|length| (0..LONGEST).contains(length)) {
            Some(length) => {
                drop(values);
                changed(arguments, |at, list| {
                    list.resize((length as usize).max(list.len()), item.lane_or_halt(at)?);
                    Ok(())
                })
            }
            None => Ok(None),
        },
        _ if len == 0 => Ok(None),
        _ => Ok(None),
    }
}

/// Changes the array of each lane where it is.
fn changed(arguments: &mut [Value], mut change: impl FnMut(usize, &mut List) -> Outcome<()>) -> Outcome<Option<Value>> {
    if let Some(Value::Each(values)) = arguments.first_mut() {
        for (at, value) in Arc::make_mut(values).iter_mut().enumerate() {
            if let Ok(mut list) = value.as_array_mut() {
                change(at, &mut list)?;
            }
        }
    }
    Ok(Some(Value::UNIT))
}

fn over_elements(run: &mut Run, filter: bool, values: &[Dynamic], closure: &Closure) -> Outcome<Value> {
    let mut elements: List = Vec::new();
    let mut owners: Vec<u32> = Vec::new();
    for (lane, value) in values.iter().enumerate() {
        if let Ok(list) = value.as_array_ref() {
            elements.extend(list.iter().cloned());
            owners.extend(std::iter::repeat_n(lane as u32, list.len()));
        }
    }
    let total = elements.len();
    let mut lists: Vec<List> = vec![List::new(); values.len()];
    if total > 0 {
        if closure.captured.iter().any(|value| matches!(value, Value::Rngs(_))) {
            return Err(Halt::new("draws in a function of array elements"));
        }
        let captured = closure.captured.iter().map(|value| value.take(&owners));
        let given = captured.chain([Value::compact(elements.clone())]).collect();
        let answers = run.call(closure.function, given, total)?;
        match filter {
            true => {
                let truths = truth(&answers, total)?;
                let kept = elements.into_iter().zip(owners).zip(truths).filter(|(_, truth)| *truth);
                kept.for_each(|((element, owner), _)| lists[owner as usize].push(element));
            }
            false => {
                for (at, owner) in owners.into_iter().enumerate() {
                    lists[owner as usize].push(answers.lane_or_halt(at)?);
                }
            }
        }
    }
    // Lists of free length stay as they are: what follows is rarely the same for all of them.
    Ok(Value::Each(Arc::new(lists.into_iter().map(Dynamic::from).collect())))
}
