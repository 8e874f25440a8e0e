//! Recipes: as written, then as resolved.
