//! The helpers that a template may call, one line each, and how a call reaches its function.

use handlebars::{Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson};
use serde_json::Value;

use crate::template::helper::args::{Args, defined};
use crate::template::helper::{block, date, logic, number, words};

/// What a helper does; the error is a sentence about its first parameter.
type Run = fn(&Args) -> Result<Value, String>;

/// How a helper is called.
pub(in crate::template) struct Shape {
    pub(in crate::template) name: &'static str,
    /// Fewest and most parameters.
    pub(in crate::template) least: usize,
    pub(in crate::template) most: usize,
    /// `name=value` that it knows.
    pub(in crate::template) named: &'static [&'static str],
    /// Opens a block (`{{#if …}}`).
    pub(in crate::template) block: bool,
    /// Parameters may be undefined, all but the last.
    pub(in crate::template) lenient: bool,
    run: Option<Run>,
}

const fn plain(name: &'static str, least: usize, most: usize, named: &'static [&'static str], run: Run) -> Shape {
    Shape { name, least, most, named, block: false, lenient: false, run: Some(run) }
}

const fn block(name: &'static str, named: &'static [&'static str]) -> Shape {
    Shape { name, least: 1, most: 1, named, block: true, lenient: false, run: None }
}

/// Every helper there is.
pub(in crate::template) static TABLE: &[Shape] = &[
    block("if", &["includeZero"]),
    block("unless", &["includeZero"]),
    block("each", &[]),
    block("with", &[]),
    plain("upper", 1, 1, &[], words::upper),
    plain("lower", 1, 1, &[], words::lower),
    plain("title", 1, 1, &[], words::title),
    plain("trim", 1, 1, &[], words::trim),
    plain("truncate", 2, 2, &["end"], words::truncate),
    plain("plural", 2, 3, &[], words::plural),
    plain("join", 1, 2, &[], words::join),
    plain("url", 1, 1, &[], words::url),
    Shape { name: "json", least: 1, most: 1, named: &[], block: false, lenient: false, run: None },
    Shape { name: "default", least: 2, most: 8, named: &[], block: false, lenient: true, run: Some(words::default) },
    plain("date", 1, 2, &["format", "locale", "tz"], date::date),
    plain("number", 1, 2, &["decimals", "locale"], number::number),
    plain("money", 1, 2, &["currency", "decimals", "locale"], number::money),
    plain("percent", 1, 2, &["decimals"], number::percent),
    plain("eq", 2, 2, &[], logic::eq),
    plain("ne", 2, 2, &[], logic::ne),
    plain("gt", 2, 2, &[], logic::gt),
    plain("gte", 2, 2, &[], logic::gte),
    plain("lt", 2, 2, &[], logic::lt),
    plain("lte", 2, 2, &[], logic::lte),
    plain("and", 1, 16, &[], logic::and),
    plain("or", 1, 16, &[], logic::or),
    plain("not", 1, 1, &[], logic::not),
    plain("len", 1, 1, &[], words::len),
    plain("lookup", 2, 2, &[], words::lookup),
    plain(VALUE, 1, 1, &[], |args| Ok(args.at(0).clone())),
];

/// `{{title}}` where `title` is a variable: the compiler writes it as `{{value-of title}}`, else the helper of that name would answer.
pub(in crate::template) const VALUE: &str = "value-of";

/// The helper of that name.
pub(in crate::template) fn shape(name: &str) -> Option<&'static Shape> {
    TABLE.iter().find(|shape| shape.name == name)
}

/// The names a user may write.
pub(in crate::template) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|shape| shape.name).filter(|name| *name != VALUE)
}

/// Puts every helper into the registry, in place of Handlebars' own.
pub(in crate::template) fn register(registry: &mut Handlebars<'static>, strict: bool) {
    for name in ["log", "raw"] {
        registry.unregister_helper(name);
    }
    for shape in TABLE {
        if let Some(run) = shape.run {
            registry.register_helper(shape.name, Box::new(Plain { run, strict: strict && !shape.lenient }));
        }
    }
    registry.register_helper("json", Box::new(words::Json { strict }));
    registry.register_helper("if", Box::new(block::If { when: true, strict }));
    registry.register_helper("unless", Box::new(block::If { when: false, strict }));
    registry.register_helper("each", Box::new(block::Each { strict }));
    registry.register_helper("with", Box::new(block::With { strict }));
}

struct Plain {
    run: Run,
    strict: bool,
}

impl HelperDef for Plain {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        if self.strict {
            defined(h)?;
        }
        let args = Args {
            params: h.params().iter().map(|p| p.value()).collect(),
            named: h.hash().iter().map(|(key, p)| (*key, p.value())).collect(),
        };
        (self.run)(&args).map(ScopedJson::Derived).map_err(|what| {
            let named = h.params().first().and_then(|p| p.relative_path());
            let what = match named {
                Some(name) => format!("`{name}`: {what}"),
                None => what,
            };
            RenderErrorReason::Other(what).into()
        })
    }
}
