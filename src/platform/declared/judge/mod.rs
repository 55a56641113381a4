//! What a reply means: the definition's rules first, then what HTTP says in general, and never a guess that says "sent".
//!
//! `single` judges a reply as a whole, `shared` says what that is for each delivery of the request, `wait` and `words` read what the
//! service asks and tells.

mod shared;
mod single;
mod wait;
mod words;

#[cfg(test)]
mod tests;

pub use single::Judge;
