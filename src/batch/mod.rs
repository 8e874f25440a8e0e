//! Stacking data records into columns, and splitting columns back.
