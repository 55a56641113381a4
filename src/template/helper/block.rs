//! `if`, `unless`, `each`, `with`: as Handlebars has them, but an undefined variable is an error and loops are counted.

use std::cell::Cell;

use handlebars::{
    BlockContext, BlockParamHolder, BlockParams, Context, Handlebars, Helper, HelperDef, HelperResult, Output, PathAndJson,
    RenderContext, RenderErrorReason, Renderable,
};
use serde_json::Value;

use crate::template::helper::args::{defined, text_of};
use crate::template::helper::logic;
use crate::template::hole::Capped;

/// Turns of all loops together that one rendering may take; loops inside loops over a long list would take for ever.
const MOST_TURNS: usize = 1_000_000;

thread_local! {
    static TURNS: Cell<usize> = const { Cell::new(0) };
}

/// Begins a rendering on this thread: no turn taken.
pub(in crate::template) fn begin() {
    TURNS.set(0);
}

pub(super) struct If {
    pub(super) when: bool,
    pub(super) strict: bool,
}

impl HelperDef for If {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        r: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        if self.strict {
            defined(h)?;
        }
        let zero = h.hash_get("includeZero").is_some_and(|p| logic::truth(p.value()));
        let truth = h.param(0).is_some_and(|p| logic::truth(p.value()) || (zero && p.value().is_number()));
        match if truth == self.when { h.template() } else { h.inverse() } {
            Some(template) => template.render(r, ctx, rc, out),
            None => Ok(()),
        }
    }
}

pub(super) struct With {
    pub(super) strict: bool,
}

impl HelperDef for With {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        r: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        if self.strict {
            defined(h)?;
        }
        let Some(param) = h.param(0).filter(|p| logic::truth(p.value())) else {
            return h.inverse().map_or(Ok(()), |template| template.render(r, ctx, rc, out));
        };
        let Some(template) = h.template() else { return Ok(()) };
        let mut scope = scope_of(param);
        if let Some(name) = h.block_param() {
            let mut params = BlockParams::new();
            match param.context_path() {
                Some(_) => params.add_path(name, Vec::new())?,
                None => params.add_value(name, param.value().clone())?,
            }
            scope.set_block_params(params);
        }
        rc.push_block(scope);
        let result = template.render(r, ctx, rc, out);
        rc.pop_block();
        result
    }
}

pub(super) struct Each {
    pub(super) strict: bool,
}

impl HelperDef for Each {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        r: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        if self.strict {
            defined(h)?;
        }
        let Some(param) = h.param(0) else { return Ok(()) };
        let items: Vec<(Value, &Value)> = match param.value() {
            Value::Array(list) => list.iter().enumerate().map(|(i, value)| (Value::from(i), value)).collect(),
            Value::Object(map) => map.iter().map(|(key, value)| (Value::from(key.as_str()), value)).collect(),
            // An empty cell is a list without entries; any other text is not a list.
            Value::Null => Vec::new(),
            Value::String(text) if text.is_empty() => Vec::new(),
            other => {
                let name = param.relative_path().map_or("the value", String::as_str);
                let what = format!(
                    "`{name}` is not a list (it is `{}`); declare it with `type: list` in template.yaml, where `;` separates entries",
                    text_of(other).chars().take(40).collect::<String>()
                );
                return Err(RenderErrorReason::Other(what).into());
            }
        };
        let Some(template) = h.template() else { return Ok(()) };
        if items.is_empty() {
            return h.inverse().map_or(Ok(()), |template| template.render(r, ctx, rc, out));
        }
        TURNS.set(TURNS.get().saturating_add(items.len()));
        if TURNS.get() > MOST_TURNS {
            return Err(RenderErrorReason::Other(format!("its loops would take more than {MOST_TURNS} turns")).into());
        }
        let keyed = param.value().is_object();
        let path = param.context_path().cloned();
        let mut out = Capped { under: out, written: 0 };
        rc.push_block(BlockContext::new());
        let count = items.len();
        let mut result = Ok(());
        for (i, (key, value)) in items.into_iter().enumerate() {
            if let Some(scope) = rc.block_mut() {
                scope.set_local_var("first", Value::from(i == 0));
                scope.set_local_var("last", Value::from(i + 1 == count));
                scope.set_local_var("index", Value::from(i));
                if keyed {
                    scope.set_local_var("key", key.clone());
                }
                match &path {
                    Some(path) => {
                        let mut path = path.clone();
                        path.push(text_of(&key));
                        *scope.base_path_mut() = path;
                    }
                    None => scope.set_base_value(value.clone()),
                }
                let item = || match &path {
                    Some(_) => BlockParamHolder::path(Vec::new()),
                    None => BlockParamHolder::value(value.clone()),
                };
                if let Some(name) = h.block_param() {
                    scope.set_block_param(name, item());
                } else if let Some((name, number)) = h.block_param_pair() {
                    scope.set_block_param(name, item());
                    scope.set_block_param(number, BlockParamHolder::value(key));
                }
            }
            result = template.render(r, ctx, rc, &mut out);
            if result.is_err() {
                break;
            }
        }
        rc.pop_block();
        result
    }
}

fn scope_of<'rc>(param: &PathAndJson<'rc>) -> BlockContext<'rc> {
    let mut scope = BlockContext::new();
    match param.context_path() {
        Some(path) => *scope.base_path_mut() = path.clone(),
        None => scope.set_base_value(param.value().clone()),
    }
    scope
}
