//! From deliveries to the exact bytes of their request: the kind of the content, body, signatures, header fields, URL.

mod body;
pub mod composer;
mod content;
mod cookbook;
mod files;
mod recipe;
mod sharing;
mod side;
mod signing;
mod travelling;
mod url;
mod values;

#[cfg(test)]
mod tests;
