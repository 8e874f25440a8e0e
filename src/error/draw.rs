//! Draws an error with its source line, the marked span, the chain of calls and the hints.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Error, IMPORT, Place};

/// Returns the error as a person reads it, ending in a line break; with `color`, ANSI styles.
///
/// The errors of one check ([`Error::also`]) follow each other, a blank line between them.
pub fn draw(error: &Error, color: bool) -> String {
    all(error, &Level::ERROR, color)
}

/// Returns an error that stops nothing as a person reads it: as [`draw`] does, without a code.
pub fn draw_warning(warning: &Error, color: bool) -> String {
    all(warning, &Level::WARNING, color)
}

fn all(error: &Error, level: &Level<'static>, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut drawn = one(error, level, &renderer);
    for other in error.also() {
        drawn.push('\n');
        drawn.push_str(&one(other, level, &renderer));
    }
    drawn
}

fn one(error: &Error, level: &Level<'static>, renderer: &Renderer) -> String {
    let notes: Vec<String> = error.context().iter().map(|context| format!("in {context}")).collect();
    let frames = frames(error);
    let mut groups = Vec::new();

    let title = level.clone().primary_title(error.message());
    let title = match error.code().filter(|_| *level == Level::ERROR) {
        Some(code) => title.id(code),
        None => title,
    };
    let mut group = match error.place() {
        Some(place) => {
            let mut snippet = snippet(place, AnnotationKind::Primary, error.span_label().unwrap_or(""));
            let mut marked = Vec::new();
            for frame in error.frames() {
                let same = |call: &&Place| call.file == place.file && call.text == place.text;
                if let Some(call) = frame.place.as_ref().filter(same).filter(|call| !marked.contains(&call.span)) {
                    marked.push(call.span.clone());
                    let label = if frame.function == IMPORT { "imported here" } else { "called from here" };
                    snippet = snippet.annotation(mark(call, AnnotationKind::Context).label(label));
                }
            }
            title.element(snippet)
        }
        None => Group::with_title(title),
    };
    for note in &notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    for frame in &frames {
        group = group.element(Level::NOTE.message(frame.as_str()));
    }
    for hint in error.hints() {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    groups.push(group);
    let mut text = renderer.render(&groups);
    text.push('\n');
    text
}

/// The calls that lie in another file than the error itself, as lines of text.
fn frames(error: &Error) -> Vec<String> {
    let file = error.place().map(|place| &place.file);
    error
        .frames()
        .iter()
        .filter(|frame| frame.place.as_ref().map(|place| &place.file) != file)
        .map(|frame| match &frame.place {
            Some(place) if frame.function == IMPORT => format!("imported at {place}"),
            Some(place) => format!("`{}` was called from {place}", frame.function),
            None if frame.function == IMPORT => "while it was imported".to_owned(),
            None => format!("in the call of `{}`", frame.function),
        })
        .collect()
}

fn snippet<'a>(place: &'a Place, kind: AnnotationKind, label: &'a str) -> Snippet<'a, Annotation<'a>> {
    let annotation = mark(place, kind);
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    Snippet::source(&*place.text).path(&*place.file).annotation(annotation)
}

fn mark(place: &Place, kind: AnnotationKind) -> Annotation<'_> {
    kind.span(place.characters())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_cuts_a_character_marks_all_of_it() {
        let text = "{\"a\": 1\u{feff}: tr}";
        for span in [8..9, 7..8, 9..10, 8..100, 99..100] {
            let place = Place { file: "table.json".into(), text: text.into(), span };
            let drawn = draw(&Error::data("wrong").at(place), false);
            assert!(drawn.contains("--> table.json:1:"), "{drawn}");
        }
    }
}
