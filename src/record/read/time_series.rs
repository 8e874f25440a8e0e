//! Labelled time series of the UCR and UEA archives (`.ts`): lines that begin with `@` say what follows, `@data`
//! begins it; then a series a line, its channels separated by colons, its values by commas, its label last.

use std::sync::Arc;

use super::formats::Opened;
use super::{File, ReadResult};
use crate::error::{Error, Result};
use crate::record::cells::Cells;
use crate::record::{Name, Value};
use crate::tensor::Array;

/// What the head of the file says.
#[derive(Default)]
struct Head {
    /// The classes, when the last part of a line is a label.
    classes: Option<Vec<String>>,
    /// Whether the last part of a line is a number to be learned.
    target: bool,
}

/// Reads the columns `series` (f32, steps and channels) and `label` (a text), or `target` (a number).
pub(super) fn read(source: &Opened) -> ReadResult {
    let file = source.text()?;
    let mut head = Head::default();
    let mut begun = false;
    let (mut series, mut labels) = (Vec::new(), Vec::new());
    let mut channels = None;
    let mut start = 0;
    for line in file.text.split_inclusive('\n') {
        let text = line.trim();
        let from = start + (line.len() - line.trim_start().len());
        start += line.len();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let refuse = |span: (usize, usize), message: String| {
            let place = file.place(from + span.0, from + span.1);
            let line = place.line_column().0;
            Error::data(format!("line {line} of {}: {message}", file.name)).at(place)
        };
        if !begun {
            begun = tag(text, &mut head).map_err(|message| refuse((0, text.len()), message))?;
            continue;
        }
        let (values, label) = match head.classes.is_some() || head.target {
            true => match text.rsplit_once(':') {
                Some((values, label)) => (values, Some(label.trim())),
                None => return Err(refuse((0, text.len()), "expected a label after the last colon".to_owned())),
            },
            false => (text, None),
        };
        let (array, found) = steps(values).map_err(|(span, message)| refuse(span, message))?;
        if *channels.get_or_insert(found) != found {
            let before = channels.unwrap_or(0);
            return Err(refuse((0, values.len()), format!("expected {before} channels as before, found {found}")));
        }
        series.push(Value::from(array));
        if let Some(label) = label {
            let at = (text.len() - label.len(), text.len());
            labels.push(self::label(label, &head).map_err(|message| refuse(at, message))?);
        }
    }
    if !begun {
        return Err(Error::data(format!("{} has no line `@data`", file.name)).hint("is it a file of the UCR archive?"));
    }
    let len = series.len();
    let mut columns: Vec<(Name, Cells)> = vec![("series".into(), cells(series, &file)?)];
    if head.target || head.classes.is_some() {
        columns.push((if head.target { "target" } else { "label" }.into(), cells(labels, &file)?));
    }
    source.table(len, columns)
}

fn cells(values: Vec<Value>, file: &File) -> Result<Cells> {
    Cells::from_values(values, None)
        .map_err(|misfit| Error::data(format!("record {} of {}: expected {}", misfit.row, file.name, misfit.expected)))
}

/// Takes a line of the head; returns whether the data begins.
fn tag(line: &str, head: &mut Head) -> Result<bool, String> {
    let Some(tag) = line.strip_prefix('@') else {
        return Err("expected a line that begins with `@` before `@data`".to_owned());
    };
    let mut words = tag.split_whitespace();
    match words.next().unwrap_or("").to_lowercase().as_str() {
        "data" => return Ok(true),
        "classlabel" => {
            let yes = words.next().is_some_and(|word| word.eq_ignore_ascii_case("true"));
            head.classes = yes.then(|| words.map(str::to_owned).collect());
        }
        "targetlabel" => head.target = words.next().is_some_and(|word| word.eq_ignore_ascii_case("true")),
        "timestamps" if words.next().is_some_and(|word| word.eq_ignore_ascii_case("true")) => {
            return Err("series with time stamps are not read".to_owned());
        }
        _ => {}
    }
    Ok(false)
}

/// Returns the values of a line, `[steps, channels]`, and the number of channels. An error has the bytes of the line
/// it is about.
fn steps(line: &str) -> Result<(Array, usize), ((usize, usize), String)> {
    let mut channels: Vec<Vec<f32>> = Vec::new();
    let mut at = 0;
    for part in line.split(':') {
        let mut values = Vec::new();
        for text in part.split(',') {
            let value = text.trim();
            values.push(match value {
                "?" | "NaN" => f32::NAN,
                _ => match fast_float2::parse(value) {
                    Ok(value) => value,
                    Err(_) => {
                        return Err(((at, at + text.len().max(1)), format!("expected a number, found {value:?}")));
                    }
                },
            });
            at += text.len() + 1;
        }
        if let Some(first) = channels.first().filter(|first| first.len() != values.len()) {
            return Err((
                (0, line.len()),
                format!(
                    "the first channel has {} values, channel {} has {}",
                    first.len(),
                    channels.len() + 1,
                    values.len()
                ),
            ));
        }
        channels.push(values);
    }
    let (count, length) = (channels.len(), channels.first().map_or(0, Vec::len));
    let turned = (0..length).flat_map(|step| channels.iter().map(move |channel| channel[step])).collect();
    match Array::from_f32(turned, &[length, count]) {
        Ok(array) => Ok((array, count)),
        Err(error) => Err(((0, line.len()), error.message().to_owned())),
    }
}

fn label(text: &str, head: &Head) -> Result<Value, String> {
    if head.target {
        return fast_float2::parse(text).map(Value::Float).map_err(|_| format!("expected a number, found {text:?}"));
    }
    match &head.classes {
        Some(classes) if !classes.is_empty() && !classes.iter().any(|class| class == text) => {
            Err(format!("the label {text:?} is not among those of `@classLabel`: {}", classes.join(", ")))
        }
        _ => Ok(Value::Text(Arc::from(text))),
    }
}
