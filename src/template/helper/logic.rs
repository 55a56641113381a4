//! Truth and comparison. Values of a CSV are text, so text that is a number compares as one and `false` is not true.

use std::cmp::Ordering;

use serde_json::Value;

use crate::template::helper::args::{Args, text_of};

/// Whether a value counts as true. Empty, `false` and `0` do not, whether typed or text.
pub(in crate::template) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64().is_some_and(|n| n != 0.0),
        Value::String(text) => !(text.is_empty() || text == "0" || text.eq_ignore_ascii_case("false")),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        _ => None,
    }
}

fn same(args: &Args) -> bool {
    let (a, b) = (args.at(0), args.at(1));
    match (a, b) {
        // Two texts are the same only if they are: `007` is not `7`.
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bool(truth), Value::String(text)) | (Value::String(text), Value::Bool(truth)) => {
            text.eq_ignore_ascii_case(if *truth { "true" } else { "false" })
        }
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}

fn order(args: &Args) -> Result<Ordering, String> {
    let (a, b) = (args.at(0), args.at(1));
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return Ok(a.partial_cmp(&b).unwrap_or(Ordering::Equal));
    }
    match (a, b) {
        // Dates as text compare as they are written.
        (Value::String(a), Value::String(b)) if !a.is_empty() && !b.is_empty() => Ok(a.cmp(b)),
        _ => Err(format!("`{}` and `{}` cannot be compared", text_of(a), text_of(b))),
    }
}

pub(super) fn eq(args: &Args) -> Result<Value, String> {
    Ok(same(args).into())
}

pub(super) fn ne(args: &Args) -> Result<Value, String> {
    Ok((!same(args)).into())
}

pub(super) fn gt(args: &Args) -> Result<Value, String> {
    Ok(order(args)?.is_gt().into())
}

pub(super) fn gte(args: &Args) -> Result<Value, String> {
    Ok(order(args)?.is_ge().into())
}

pub(super) fn lt(args: &Args) -> Result<Value, String> {
    Ok(order(args)?.is_lt().into())
}

pub(super) fn lte(args: &Args) -> Result<Value, String> {
    Ok(order(args)?.is_le().into())
}

pub(super) fn and(args: &Args) -> Result<Value, String> {
    Ok(args.params.iter().all(|value| truth(value)).into())
}

pub(super) fn or(args: &Args) -> Result<Value, String> {
    Ok(args.params.iter().any(|value| truth(value)).into())
}

pub(super) fn not(args: &Args) -> Result<Value, String> {
    Ok((!truth(args.at(0))).into())
}
