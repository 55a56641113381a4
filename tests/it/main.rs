//! The program as a user sees it: one binary of tests, real servers on loopback, assertions on what those received.

mod adding;
mod adversity;
mod exec;
mod house;
mod kill;
mod list;
mod mail;
mod manners;
mod newcomer;
mod peers;
mod platforms;
mod readme;
mod smpp;
mod webhook;
mod world;
