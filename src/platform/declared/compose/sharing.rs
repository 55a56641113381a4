//! Requests for several deliveries: who may share one, and where each stands in it.

use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::delivery::Delivery;
use crate::error::{ErrorKind, SendError};
use crate::platform::Share;
use crate::platform::declared::compose::body::Filled;
use crate::platform::declared::compose::composer::{Composer, Moment, Placed, alone};
use crate::platform::declared::compose::content::Content;
use crate::platform::declared::compose::cookbook::{Elements, SharedRecipe};
use crate::platform::declared::compose::files;
use crate::platform::declared::compose::values::{Envelope, id_of};
use crate::platform::declared::definition::batch::{ListForm, Place, Shared};
use crate::platform::declared::text::find::{Scope, find, plain};
use crate::platform::http::{Call, Url};
use crate::recipient::Address;

/// Why no shared request could be made, and which delivery is to blame.
pub struct Unmade {
    /// What is wrong.
    pub error: SendError,
    /// Its place among the deliveries.
    pub at: Option<usize>,
}

impl Composer {
    /// Some kind of content may share.
    pub fn shares(&self) -> bool {
        self.shared.iter().any(Option::is_some)
    }

    /// What the delivery brings into a shared request; `None` where it goes alone.
    pub fn share(&self, delivery: &Delivery) -> Option<Share> {
        let batch = self.definition.batch.as_ref()?;
        let content = Content::new(&delivery.message, &self.definition.fields.0);
        let kind = self.choose(&content).ok()?;
        let shared = self.shared.get(kind)?.as_ref()?;
        let odd = batch.alone.iter().any(|name| content.filled(name)) || !batch.filled.iter().all(|name| content.filled(name));
        if odd || !self.fits(batch, &content) || self.mistaken(batch, &delivery.envelope.to, &content) {
            return None;
        }
        let endpoint = self.endpoint_of(&delivery.envelope.to).ok()?;
        let url = endpoint.as_ref().map_or("", Url::as_str);
        // Everything that the request says once, at a moment that is the same for all.
        let sketch = Envelope {
            to: "",
            to_form: "",
            id: "",
            attempt: 0,
            endpoint: url,
            now: SystemTime::UNIX_EPOCH,
            token: "",
            nonce: "",
            sketch: true,
        };
        let call = self.make(&shared.recipe, &sketch, &content, endpoint.as_ref(), alone).ok()?;
        let to = self.shown_to(&delivery.envelope.to);
        let own =
            Envelope { to: &to, to_form: self.definition.addressing.form_of(&to), id: delivery.envelope.id.as_str(), ..sketch };
        let values = self.known.values(&shared.names, &own, &content, &self.definition.fields.0).ok()?;
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        let mut add = |bytes: &[u8]| {
            digest.update(&(bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        add(&(kind as u64).to_le_bytes());
        add(call.url.as_str().as_bytes());
        for (name, value) in &call.headers {
            add(name.as_str().as_bytes());
            add(value.as_bytes());
        }
        add(&call.body);
        for name in &batch.group_by {
            add(find(values.data(), name).map(Value::to_string).unwrap_or_default().as_bytes());
        }
        // Elements hold a file's place instead of the file.
        let mut bytes = match shared.names.iter().any(|name| name == "attachments") {
            true => files::encoded_length(&delivery.message.attachments),
            false => 0,
        };
        for list in &shared.lists {
            let (key, element) = element(list, Scope::of(&values), shared.recipe.omit_empty).ok()?;
            bytes += key.map_or(0, |key| key.len() + 3) + serde_json::to_vec(&element).map_or(0, |bytes| bytes.len()) + 1;
        }
        let unique = match batch.unique.as_deref() {
            None => None,
            Some("to") => Some(self.folded(own.to)),
            Some(name) => {
                let names = [name.to_owned()];
                let values = self.known.values(&names, &own, &content, &self.definition.fields.0).ok()?;
                Some(find(values.data(), name).map(Value::to_string).unwrap_or_default())
            }
        };
        let unique = unique.map(|text| short(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref()));
        // Wide enough that two contents never meet: whoever shares a group is sent the same.
        let group = digest.finish().as_ref().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
        Some(Share { group, bytes, unique })
    }

    fn folded(&self, to: &str) -> String {
        if self.definition.addressing.fold_case { to.to_lowercase() } else { to.to_owned() }
    }

    /// The service would take something that the row says for a placeholder of its own.
    fn mistaken(&self, batch: &Shared, to: &Address, content: &Content<'_>) -> bool {
        let message = content.message;
        let held = |text: &str| batch.without.iter().any(|word| text.contains(word.as_str()));
        let words = ["subject", "text", "html", "markdown"].into_iter().any(|name| held(content.words(name)));
        let sender =
            |own: &Option<String>, account: &Option<String>| own.as_ref().or(account.as_ref()).is_some_and(|text| held(text));
        let fields = message.headers.iter().any(|(name, value)| held(name) || held(value));
        words
            || fields
            || held(to.as_str())
            || sender(&message.from, &self.known.from)
            || sender(&message.reply_to, &self.known.reply_to)
    }

    fn fits(&self, batch: &Shared, content: &Content<'_>) -> bool {
        let Some(fits) = &batch.fits else { return true };
        let length = |name: &String| match name.as_str() {
            "text" | "html" | "markdown" | "subject" | "title" => content.words(name).len(),
            "content" => content.tree().map_or(0, |tree| tree.to_string().len()),
            field => {
                content.field(field).map_or(0, |value| plain(&value).map_or_else(|| value.to_string().len(), |text| text.len()))
            }
        };
        fits.of.iter().map(length).sum::<usize>() <= fits.bytes
    }

    /// The most bytes of elements in a request.
    pub fn most_bytes(&self) -> Option<usize> {
        let batch = self.definition.batch.as_ref()?;
        // What stands around the elements needs room too.
        let body = self.definition.message.max.body.as_ref().map(|max| max.bytes / 10 * 9);
        batch.max_bytes.into_iter().chain(body).min()
    }

    /// The deliveries go in the form of several, even where there is only one.
    pub fn goes_shared(&self, deliveries: &[Delivery]) -> bool {
        let Some(batch) = &self.definition.batch else { return false };
        match deliveries {
            [one] => batch.request.is_none() && self.share(one).is_some(),
            _ => true,
        }
    }

    /// The request of these deliveries at this moment.
    ///
    /// # Errors
    /// What is wrong, and with which.
    pub fn shared_call(&self, deliveries: &[Delivery], moment: &Moment<'_>) -> Result<Call, Unmade> {
        let bad = |what: &str| Unmade { error: SendError::new(ErrorKind::BadMessage, what), at: None };
        let first = deliveries.first().ok_or_else(|| bad("nothing to send"))?;
        let whole = |error| Unmade { error, at: None };
        let fields = &self.definition.fields.0;
        let content = Content::new(&first.message, fields);
        let kind = self.choose(&content).map_err(whole)?;
        let shared = self.shared.get(kind).and_then(Option::as_ref).ok_or_else(|| bad("this content cannot share a request"))?;
        let endpoint = self.endpoint_of(&first.envelope.to).map_err(whole)?;
        let nonce = self.known.nonce();
        let id = id_of(deliveries);
        let outer = Envelope {
            to: "",
            to_form: "",
            id: &id,
            attempt: first.envelope.attempt,
            endpoint: endpoint.as_ref().map_or("", Url::as_str),
            now: moment.now,
            token: moment.token,
            nonce: &nonce,
            sketch: false,
        };
        let mut lists: Vec<Vec<(Option<String>, Value)>> =
            shared.lists.iter().map(|_| Vec::with_capacity(deliveries.len())).collect();
        for (at, delivery) in deliveries.iter().enumerate() {
            let blamed = |what: String| Unmade { error: SendError::new(ErrorKind::BadMessage, what), at: Some(at) };
            let content = Content::new(&delivery.message, fields);
            let to = self.shown_to(&delivery.envelope.to);
            let own = Envelope {
                to: &to,
                to_form: self.definition.addressing.form_of(&to),
                id: delivery.envelope.id.as_str(),
                attempt: delivery.envelope.attempt,
                ..outer
            };
            let values = self.known.values(&shared.names, &own, &content, fields).map_err(blamed)?;
            for (list, into) in shared.lists.iter().zip(&mut lists) {
                into.push(element(list, Scope::of(&values), shared.recipe.omit_empty).map_err(blamed)?);
            }
        }
        self.make(&shared.recipe, &outer, &content, endpoint.as_ref(), |body| place(body, shared, lists)).map_err(whole)
    }
}

fn element(list: &Elements, scope: Scope<'_>, omit_empty: bool) -> Result<(Option<String>, Value), String> {
    let key = list.key.as_ref().map(|key| key.render(scope)).transpose()?;
    Ok((key, list.each.render(scope, omit_empty)?))
}

fn short(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Puts the elements where they belong.
fn place(body: Filled, shared: &SharedRecipe, lists: Vec<Vec<(Option<String>, Value)>>) -> Result<Placed, SendError> {
    let wrong = |what: &str| SendError::new(ErrorKind::Misconfigured, what);
    let (mut body, mut query) = (body, Vec::new());
    for (list, elements) in shared.lists.iter().zip(lists) {
        let value = match list.key {
            Some(_) => {
                Value::Object(elements.into_iter().filter_map(|(key, value)| key.map(|key| (key, value))).collect::<Map<_, _>>())
            }
            None => Value::Array(elements.into_iter().map(|(_, value)| value).collect()),
        };
        let value = match (list.form, value) {
            (ListForm::List, value) => value,
            (ListForm::Json, value) => Value::String(value.to_string()),
            (ListForm::Join, Value::Array(values)) => {
                let texts: Option<Vec<String>> = values.iter().map(|value| plain(value).map(Into::into)).collect();
                Value::String(texts.ok_or_else(|| wrong("a joined element is neither text nor number"))?.join(&list.by))
            }
            (ListForm::Join, _) => return Err(wrong("an object cannot be joined")),
        };
        let at = match &list.at {
            Place::Body(at) => at,
            Place::Query(name) => {
                query.push((name.clone(), plain(&value).map(Into::into).unwrap_or_default()));
                continue;
            }
        };
        match &mut body {
            Filled::Json(root) => set_at(root, at, value).ok_or_else(|| wrong("the elements have no place in the body"))?,
            Filled::Form(map) => {
                map.insert(at.trim_start_matches('/').to_owned(), value);
            }
            Filled::Text(_) | Filled::Parts(..) => return Err(wrong("only json and form carry several deliveries")),
        }
    }
    Ok((body, query))
}

/// Puts a value at a JSON pointer (RFC 6901), with the objects on the way to it.
fn set_at(root: &mut Value, pointer: &str, value: Value) -> Option<()> {
    let mut place = root;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        place = match place {
            Value::Object(map) => map.entry(step).or_insert(Value::Null),
            Value::Array(list) => list.get_mut(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    *place = value;
    Some(())
}
