//! Templates: compiled once, checked against the list, rendered per recipient. From the files down to the holes that rows fill.

pub mod compiled;
pub mod form;
pub mod listing;
pub mod render_error;
pub mod source_files;
pub mod variable;

// Files to compiled.
mod attach;
mod compile;
mod fragment;
mod front;
mod front_matter;
mod header_block;
mod images;
mod lint;
mod scan;

// Against the columns.
mod columns;
mod uses;

// Row to message.
mod choice;
mod cook;
mod helper;
mod hole;
mod json_form;
mod markdown_form;
mod one_line;
mod render;
mod reserved;
mod row_content;

#[cfg(test)]
mod tests;
