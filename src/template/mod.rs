//! Templates: compiled once, checked against the list, rendered per recipient. From a template's files down to the holes that rows fill.

pub mod compile;
pub mod render;
pub mod row_content;
pub mod source_files;
pub mod variable;

mod attach;
mod cook;
pub mod form;
mod fragment;
mod front;
mod header_block;
mod helper;
mod hole;
mod images;
mod json_form;
mod lint;
pub mod listing;
mod markdown_form;
mod scan;
mod uses;

#[cfg(test)]
mod tests;
