//! What a run tells: files made from spool and journal, which are the truth; nothing here knows more than they do.

pub mod advice;
pub mod cell;
pub mod files;
pub mod follower;
pub mod html;
mod line;
pub mod paths;
pub mod recovery;
pub mod text;
pub mod totals;
pub mod tuning;

#[cfg(test)]
mod tests;
