//! Scores records with a trained network.
