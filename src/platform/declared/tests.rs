//! The engine against a recording server on loopback.
