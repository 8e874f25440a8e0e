//! Recipe and scripts become a trainer: the one place where components meet.
