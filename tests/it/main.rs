//! The program as a user sees it: one binary of tests, real servers on loopback, assertions on what those received.

mod adding;
mod adversity;
mod batches;
mod control;
mod exec;
mod house;
mod kill;
mod kill_batches;
mod limits;
mod list;
mod mail;
mod manners;
mod newcomer;
mod peers;
mod platforms;
mod priority;
mod readme;
mod recovery;
mod routes;
mod safety;
mod schedule;
mod service;
mod smpp;
mod verbs;
mod webhook;
mod world;
