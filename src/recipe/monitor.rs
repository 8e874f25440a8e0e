//! Monitors: the log a service watches, and which direction is better.

use super::check::Report;
use super::fields::Fields;
use super::written::Node;

/// Whether a log is better when it is less or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Less is better: `min`.
    Less,
    /// More is better: `max`.
    More,
}

impl Better {
    /// Returns the name in configs.
    pub fn name(self) -> &'static str {
        match self {
            Better::Less => "min",
            Better::More => "max",
        }
    }

    pub(super) fn of(fields: &Fields) -> Self {
        match fields.text("mode").as_str() {
            "max" => Better::More,
            _ => Better::Less,
        }
    }
}

/// Which records a service watches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    /// The training records: logs without `val_`.
    Train,
    /// The validation records: logs with `val_`.
    Validation,
}

/// Returns the monitor of a service that watches one split.
///
/// The original puts `val_` before the monitor of the best checkpoint and of the validation stopping, and
/// takes it from that of the train stopping, with a line in its log. The same is done here, and told as a
/// note: what is meant is certain, as the service has only one split to watch.
pub(super) fn of_split(fields: &Fields, split: Split, report: &mut Report) -> String {
    let (node, path) = fields.get("monitor");
    let Some(written) = node.text() else { return String::new() };
    let (right, records) = match (split, written.strip_prefix("val_")) {
        (Split::Train, Some(name)) => (name.to_owned(), "training"),
        (Split::Validation, None) => (format!("val_{written}"), "validation"),
        _ => return written.to_owned(),
    };
    let place = Node::mark(&node).map_or(String::new(), |place| format!(" ({place})"));
    report.notes.push(format!("`{path}` watches the {records} records: `{written}` is read as `{right}`{place}"));
    right
}
