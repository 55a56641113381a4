//! The templates inside a definition: string leaves, and the trees that bodies are made of.
//!
//! A body is a tree and never text, so that no value can break the JSON around it: a leaf is rendered into a string, typed values
//! enter by operators (`$ref`, `$json` …). Handlebars escapes nothing here, and what a row holds is never a template.

pub mod find;
pub mod leaf;
pub mod reading;
pub mod tree;

#[cfg(test)]
mod tests;
