//! What a run tells: files made from spool and journal, which are the truth; nothing here knows more than they do.

pub mod advice;
pub mod cell;
pub mod files;
pub mod follower;
mod line;
pub mod paths;
pub mod recovery;
pub mod text;
pub mod totals;

#[cfg(test)]
mod tests;
