//! All recipes of an account: one for each kind of content, and one for each that several deliveries may share.

use crate::platform::declared::compose::recipe::{Ground, Recipe};
use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::batch::{ListForm, Mode, Place, Shared};
use crate::platform::declared::definition::form::{Entry, Form};
use crate::platform::declared::definition::kinds::{Field, Kind};
use crate::platform::declared::definition::request::{Bodies, Method};
use crate::platform::declared::text::leaf::Text;
use crate::platform::declared::text::tree::Tree;
use crate::platform::http;

/// A request that several deliveries share.
pub struct SharedRecipe {
    /// What it says once.
    pub recipe: Recipe,
    /// What each brings.
    pub lists: Vec<Elements>,
    /// Every value that elements look at.
    pub names: Vec<String>,
}

/// The elements of a list.
pub struct Elements {
    /// Where in the request.
    pub at: Place,
    /// An element.
    pub each: Tree,
    /// Its key.
    pub key: Option<Text>,
    /// How they are written.
    pub form: ListForm,
    /// Between them.
    pub by: String,
}

/// The recipes of every kind, in the order of the file.
///
/// # Errors
/// What the account has wrong.
pub fn recipes(definition: &Definition, ground: &Ground<'_>, signing: &[&str]) -> Result<Vec<Recipe>, String> {
    let request = &definition.request;
    let method = method_of(ground.account.method.unwrap_or(request.method));
    let idempotency = definition.idempotency.as_ref().and_then(|idempotency| idempotency.header.as_ref());
    let build = |name: &str, kind: Option<&Kind>, body: &Form| -> Result<Recipe, String> {
        let (own_query, own_headers) = kind.map_or((&[][..], &[][..]), |kind| (&kind.query.0[..], &kind.headers.0[..]));
        let url = kind.and_then(|kind| kind.url.as_ref()).or(request.url.as_ref()).ok_or("the request has no url")?;
        let mut recipe = Recipe {
            name: name.to_owned(),
            needs: kind.and_then(|kind| kind.needs(name)).unwrap_or_default(),
            without: kind.map(|kind| kind.without.clone()).unwrap_or_default(),
            method: method.clone(),
            url: ground.target(url)?,
            query: ground.query(&[&request.query.0, own_query])?,
            headers: ground.headers(idempotency, &[&request.headers.0, own_headers], &request.auth)?,
            body: Some(body.clone()),
            omit_empty: request.omit_empty,
            names: Vec::new(),
        };
        recipe.add_idempotency(definition)?;
        recipe.note_names(signing);
        Ok(recipe)
    };
    match (&ground.account.body, &request.bodies) {
        (Some(tree), _) => Ok(vec![build("", None, &Form::Json(tree.clone()))?]),
        (None, Bodies::One(form)) => Ok(vec![build("", None, form)?]),
        (None, Bodies::Kinds(kinds)) => kinds.iter().map(|(name, kind)| build(name, Some(kind), &kind.body)).collect(),
    }
}

fn method_of(method: Method) -> http::Method {
    match method {
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
    }
}

/// For each recipe, how several of its rows share a request.
///
/// # Errors
/// What the account has wrong.
pub fn shared(
    definition: &Definition,
    ground: &Ground<'_>,
    recipes: &[Recipe],
    signing: &[&str],
) -> Result<Vec<Option<SharedRecipe>>, String> {
    recipes.iter().map(|recipe| shared_one(definition, ground, recipe, signing)).collect()
}

fn shared_one(
    definition: &Definition,
    ground: &Ground<'_>,
    main: &Recipe,
    signing: &[&str],
) -> Result<Option<SharedRecipe>, String> {
    // An account's own body is for one.
    let (Some(batch), None, Some(body)) = (&definition.batch, &ground.account.body, &main.body) else { return Ok(None) };
    let request = batch.request.as_ref();
    let own = request.and_then(|request| request.bodies.as_ref());
    let main_kind = kind_named(&definition.request.bodies, &main.name);
    let own_kind = own.and_then(|bodies| kind_named(bodies, &main.name));
    let around = match own {
        Some(Bodies::One(form)) => form.clone(),
        Some(Bodies::Kinds(_)) => match own_kind {
            Some(kind) => kind.body.clone(),
            None => return Ok(None),
        },
        None => around(batch, body),
    };
    let url = own_kind.and_then(|kind| kind.url.as_ref()).or_else(|| request.and_then(|request| request.url.as_ref()));
    let url = url.or_else(|| main_kind.and_then(|kind| kind.url.as_ref())).or(definition.request.url.as_ref());
    let none: &[(String, Field)] = &[];
    let query = [
        &definition.request.query.0[..],
        main_kind.map_or(none, |kind| &kind.query.0),
        request.map_or(none, |request| &request.query.0),
        own_kind.map_or(none, |kind| &kind.query.0),
    ];
    let headers = [
        &definition.request.headers.0[..],
        main_kind.map_or(none, |kind| &kind.headers.0),
        request.map_or(none, |request| &request.headers.0),
        own_kind.map_or(none, |kind| &kind.headers.0),
    ];
    let idempotency = definition.idempotency.as_ref().and_then(|idempotency| idempotency.header.as_ref());
    let mut recipe = Recipe {
        name: main.name.clone(),
        needs: main.needs.clone(),
        without: main.without.clone(),
        method: request.and_then(|request| request.method).map_or_else(|| main.method.clone(), method_of),
        url: ground.target(url.ok_or("the request for several has no url")?)?,
        query: ground.query(&query)?,
        headers: ground.headers(idempotency, &headers, &definition.request.auth)?,
        body: Some(around),
        omit_empty: request.and_then(|request| request.omit_empty).unwrap_or(definition.request.omit_empty),
        names: Vec::new(),
    };
    recipe.add_idempotency(definition)?;
    recipe.note_names(signing);
    let mut names: Vec<String> = batch.group_by.clone();
    let mut lists = Vec::with_capacity(batch.lists.len());
    for list in batch.lists.iter().filter(|list| ground.account.meets(list.when.as_ref(), ground.signs)) {
        let each = list.each.clone().unwrap_or_else(|| tree_of(body));
        names.extend(each.names().into_iter().map(str::to_owned));
        names.extend(list.key.iter().flat_map(|key| key.names().iter().cloned()));
        lists.push(Elements { at: list.at.clone(), each, key: list.key.clone(), form: list.form, by: list.by.clone() });
    }
    names.sort();
    names.dedup();
    if lists.is_empty() {
        return Err("none of the lists of a shared request is for this account".to_owned());
    }
    // Content that the shared request would leave out goes alone.
    let carried = |need: &String| {
        names
            .iter()
            .chain(&recipe.names)
            .any(|name| name == need || name == "content" || is_inside(name, need) || is_inside(need, name))
    };
    if !main.needs.iter().all(carried) {
        return Ok(None);
    }
    Ok(Some(SharedRecipe { recipe, lists, names }))
}

fn is_inside(name: &str, object: &str) -> bool {
    name.strip_prefix(object).is_some_and(|rest| rest.starts_with('.'))
}

fn kind_named<'a>(bodies: &'a Bodies, name: &str) -> Option<&'a Kind> {
    match bodies {
        Bodies::One(_) => None,
        Bodies::Kinds(kinds) => kinds.iter().find(|(known, _)| known == name).map(|(_, kind)| kind),
    }
}

/// What stands around the elements where the definition does not say.
fn around(batch: &Shared, body: &Form) -> Form {
    match (batch.mode, body) {
        (Mode::Same, body) => body.clone(),
        (_, Form::Form(_)) => Form::Form(Vec::new()),
        _ => Form::Json(Tree::Map(Vec::new())),
    }
}

/// A whole body as an element.
fn tree_of(body: &Form) -> Tree {
    let entries = |entries: &[(String, Entry)]| {
        let trees = entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Value(tree, None) => Some((name.clone(), tree.clone())),
            Entry::Value(tree, Some(when)) => Some((name.clone(), Tree::When(when.clone(), Box::new(tree.clone()), None))),
            Entry::Files(_) => None,
        });
        Tree::Map(trees.collect())
    };
    match body {
        Form::Json(tree) => tree.clone(),
        Form::Text(text) => Tree::Text(text.clone()),
        Form::Form(fields) | Form::Multipart(fields) => entries(fields),
    }
}
