//! Who keeps a quota.
