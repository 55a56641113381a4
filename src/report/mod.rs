//! Placeholder: the report room is being built.
