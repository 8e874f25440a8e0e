//! Fused CPU kernels; empty until the plan of the training engine uses them.
