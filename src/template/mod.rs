//! Placeholder: the template room is being built.
