//! The source seen from outside: lists in, rows out.
