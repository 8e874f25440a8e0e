//! The artifact folder: every file name in it, atomic writes, checkpoints.
