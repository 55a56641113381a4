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
    let yaml =
        "{n: {$ref: meta.n}, j: {$json: meta}, gone: {$ref: meta.x}, empty: \"{{text}}\", kept: \"\", deep: {a: \"{{text}}\"}}";
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
    assert_eq!(render("{a: \"{{to}}\"}", json!({"to": "{{secret.k}}", "secret": {"k": "s3cret"}})), json!({"a": "{{secret.k}}"}));
}

#[test]
fn every_operator() {
    let values = json!({
        "n": "7", "f": "2.5", "yes": "true", "list": "a, b;c d", "none": "", "deep": {"x": [1, 2]},
        "files": [{"name": "a", "v": 1}, {"name": "b", "v": 2}], "from": "Ann <a@x>", "from.email": "a@x",
    });
    for (tree, expected) in [
        ("{a: {$number: n}, b: {$number: f}, c: {$number: none}}", json!({"a": 7, "b": 2.5})),
        ("{a: {$bool: yes}, b: {$bool: none}}", json!({"a": true})),
        ("{a: {$list: list}, b: {$list: none}}", json!({"a": ["a", "b", "c", "d"]})),
        ("{a: {$literal: \"{{n}}\"}}", json!({"a": "{{n}}"})),
        ("{a: {$json: {t: \"{{n}}\"}}, b: {$json: deep}}", json!({"a": "{\"t\":\"7\"}", "b": "{\"x\":[1,2]}"})),
        ("{$each: files, as: {n: \"{{item.name}}\", v: {$ref: item.v}}}", json!([{"n": "a", "v": 1}, {"n": "b", "v": 2}])),
        ("{$pairs: files, key: \"h:{{item.name}}\", value: {$ref: item.v}}", json!({"h:a": 1, "h:b": 2})),
        ("{$merge: [{a: 1}, {$ref: deep}, {a: 2}]}", json!({"a": 2, "x": [1, 2]})),
        ("{a: {$when: {has: n}, then: 1, else: 2}, b: {$when: {has: none}, then: 1}}", json!({"a": 1})),
        ("{a: \"{{from}} {{from.email}}\", b: \"{{#if n}}{{from.email}}{{/if}}\"}", json!({"a": "Ann <a@x> a@x", "b": "a@x"})),
    ] {
        assert_eq!(render(tree, values.clone()), expected, "{tree}");
    }
    for (wrong, said) in [
        ("{$ref: a, b: 1}", "must be alone"),
        ("{a: 1, $ref: b}", "must be alone"),
        ("{$reff: a}", "$ref"),
        ("{$each: a}", "needs `as:`"),
        ("{$ref: \"{{a}}\"}", "without braces"),
    ] {
        let error = serde_yaml::from_str::<Tree>(wrong).unwrap_err().to_string();
        assert!(error.contains(said), "{wrong}: {error}");
    }
}
