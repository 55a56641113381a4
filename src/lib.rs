//! The house: a library under a thin binary. This file is its table of contents, from the words up to the verbs.

// The words: plain data.
pub mod batch;
pub mod control;
pub mod delivery;
pub mod error;
pub mod exit;
pub mod message;
pub mod priority;
pub mod problem;
pub mod queue_stats;
pub mod recipient;
pub mod state;
pub mod tally;

// What the words are made from and kept in.
pub mod backoff;
pub mod config;
pub mod cost;
pub mod hook;
pub mod journal;
pub mod limit;
pub mod permits;
pub mod policy;
pub mod recovery;
pub mod report;
pub mod sms;
pub mod source;
pub mod template;
pub mod tune;

// Who delivers.
pub mod platform;

// The loopback server for users and tests.
pub mod shared;
pub mod sink;

// The flow, from one account up to the verbs.
pub mod account;
pub mod changes;
pub mod cli;
pub mod commands;
pub mod feed;
pub mod job;
pub mod lane;
pub mod live;
pub mod plan;
pub mod prepare;
pub mod progress;
pub mod route;
pub mod rules;
pub mod run;
pub mod schedule;
