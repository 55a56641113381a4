//! Placeholder: the sink room is being built.
