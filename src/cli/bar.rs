//! The bar of a pipeline's run: on a terminal only.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::progress::{How, how};
use crate::cli::terminal;
use crate::script::bar::Bar;

/// The bar is drawn no more often than this.
const REDRAW: Duration = Duration::from_millis(60);

/// Makes the display of a run; nothing where standard error is no terminal.
pub fn make(total: Option<u64>, title: &str) -> Option<Box<dyn Bar>> {
    if how() != How::Bar {
        return None;
    }
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(match total {
        Some(_) => "{prefix} [{bar:20}] {pos}/{len} {wide_msg}",
        None => "{prefix} {pos} {wide_msg}",
    });
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar.set_prefix(title.to_owned());
    terminal::show(Some(bar.clone()));
    Some(Box::new(Shown { bar, drawn: None }))
}

struct Shown {
    bar: ProgressBar,
    drawn: Option<Instant>,
}

impl Bar for Shown {
    fn due(&mut self) -> bool {
        let now = Instant::now();
        let due = self.drawn.is_none_or(|drawn| now.duration_since(drawn) >= REDRAW);
        if due {
            self.drawn = Some(now);
        }
        due
    }

    fn show(&mut self, done: u64, values: &str) {
        self.bar.set_message(values.to_owned());
        self.bar.set_position(done);
    }

    fn end(&mut self, done: u64, values: &str) {
        terminal::show(None);
        self.bar.finish_and_clear();
        let title = self.bar.prefix();
        let gap = if values.is_empty() { "" } else { "  " };
        terminal::message(&format!("{title} {done} batches{gap}{values}\n"));
    }
}
