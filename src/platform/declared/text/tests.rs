//! Leaves and every operator of trees.

use handlebars::Context;
use serde_json::{Value, json};

use super::find::Scope;
use super::leaf::Text;
use super::tree::Tree;

fn render(yaml: &str, values: Value) -> Value {
    let tree: Tree = serde_yaml::from_str(yaml).unwrap();
    tree.render(Scope::of(&Context::from(values)), true).unwrap()
}

#[test]
fn nothing_a_row_holds_can_break_the_json() {
    let value = render("{text: \"{{text}}\"}", json!({"text": "\",\"admin\":true}\n<b>&'"}));
    assert_eq!(value, json!({"text": "\",\"admin\":true}\n<b>&'"}));
}

#[test]
fn typed_values_enter_by_reference_and_empty_ones_are_left_out() {
    let yaml = "{n: {$ref: meta.n}, j: {$json: meta}, gone: {$ref: meta.x}, empty: \"{{text}}\", kept: \"\", deep: {a: \"{{text}}\"}}";
    let value = render(yaml, json!({"meta": {"n": 7}, "text": ""}));
    assert_eq!(value, json!({"n": 7, "j": "{\"n\":7}", "kept": ""}));
}

#[test]
fn names_are_those_of_values() {
    let text = Text::new("{{to}} {{#if meta.a}}{{secret.k}}{{/if}} {{lookup meta to}}").unwrap();
    assert_eq!(text.names(), ["meta", "meta.a", "secret.k", "to"]);
}

#[test]
fn what_a_row_holds_is_never_a_template() {
    assert_eq!(
        render("{a: \"{{to}}\"}", json!({"to": "{{secret.k}}", "secret": {"k": "s3cret"}})),
        json!({"a": "{{secret.k}}"})
    );
}
