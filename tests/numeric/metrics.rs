//! Results of metrics.
