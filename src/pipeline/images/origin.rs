//! Where a smaller rectangle lies in a larger one.

use super::settings::{Settings, pair, whole};
use super::unknown;
use crate::error::Result;
use crate::random::Random;
use crate::record::Value;

/// A place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Origin {
    /// Centre on centre.
    Center,
    /// At the ends that the flags name: the bottom, the right.
    Corner(bool, bool),
    /// Anywhere inside, each place equally likely.
    Random,
    /// The upper left corner at this row and column.
    At(isize, isize),
    /// A share of the places inside: `[0, 0]` is the upper left one.
    Share(f64, f64),
}

const NAMES: [&str; 6] = ["center", "top_left", "top_right", "bottom_left", "bottom_right", "random"];

impl Origin {
    /// Takes the option `origin`.
    ///
    /// # Errors
    /// An unknown name, and anything but two numbers.
    pub fn take(settings: &mut Settings, otherwise: Origin) -> Result<Origin> {
        let Some(value) = settings.take("origin") else { return Ok(otherwise) };
        if let Value::Text(name) = &value {
            return match &**name {
                "center" => Ok(Origin::Center),
                "top_left" => Ok(Origin::Corner(false, false)),
                "top_right" => Ok(Origin::Corner(false, true)),
                "bottom_left" => Ok(Origin::Corner(true, false)),
                "bottom_right" => Ok(Origin::Corner(true, true)),
                "random" => Ok(Origin::Random),
                other => Err(unknown("origin", other, &NAMES)),
            };
        }
        let expected = "[row, column], whole numbers or shares from 0 to below 1, or the name of a place";
        let Some((row, column)) = pair(&value) else { return Err(settings.wrong("origin", expected, &value)) };
        match (whole(row), whole(column)) {
            (Some(row), Some(column)) => Ok(Origin::At(row, column)),
            _ if (0.0..1.0).contains(&row) && (0.0..1.0).contains(&column) => Ok(Origin::Share(row, column)),
            _ => Err(settings.wrong("origin", expected, &value)),
        }
    }

    /// Returns the row and the column of the upper left corner of `inner` within `outer`, each height and width.
    /// Of a larger one within a smaller one they are below 0, but for a random place or a share.
    pub fn place(self, inner: (usize, usize), outer: (usize, usize), random: &mut Random) -> (isize, isize) {
        let room = (outer.0 as isize - inner.0 as isize, outer.1 as isize - inner.1 as isize);
        let end = |at_end: bool, room: isize| if at_end { room } else { 0 };
        match self {
            Origin::Center => (room.0.div_euclid(2), room.1.div_euclid(2)),
            Origin::Corner(bottom, right) => (end(bottom, room.0), end(right, room.1)),
            Origin::Random => {
                let mut draw = |room: isize| random.below(room.max(0) as u64 + 1) as isize;
                (draw(room.0), draw(room.1))
            }
            Origin::At(row, column) => (row, column),
            Origin::Share(row, column) => {
                let share = |share: f64, room: isize| (share * (room.max(0) + 1) as f64) as isize;
                (share(row, room.0), share(column, room.1))
            }
        }
    }
}
