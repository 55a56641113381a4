//! Requests that carry no message: for a token, for a proof of credentials.

use std::time::SystemTime;

use crate::error::{ErrorKind, SendError};
use crate::message::Message;
use crate::platform::declared::compose::composer::{Composer, alone};
use crate::platform::declared::compose::content::Content;
use crate::platform::declared::compose::recipe::{Ground, Recipe, Target};
use crate::platform::declared::compose::travelling::Traveller;
use crate::platform::declared::compose::url::guard;
use crate::platform::declared::compose::values::Envelope;
use crate::platform::declared::definition::side::{Side, SideMethod};
use crate::platform::http::{Call, Method};

impl Composer {
    /// A request that carries no message.
    ///
    /// # Errors
    /// `Misconfigured`: the definition or the account makes no request.
    pub fn side(&self, side: &Side, now: SystemTime, token: &str) -> Result<Call, SendError> {
        let message = Message::default();
        let content = Content::new(&message, &self.definition.fields.0);
        let nonce = self.known.nonce();
        let envelope =
            Envelope { to: "", to_form: "", id: "", attempt: 1, endpoint: "", now, token, nonce: &nonce, sketch: false };
        let wrong = |what: String| SendError::new(ErrorKind::Misconfigured, what);
        let recipe = self.side_recipe(side).map_err(wrong)?;
        let called = self.make(&recipe, &envelope, &content, self.endpoint.as_ref(), alone);
        let call = called.map_err(|error| SendError { kind: ErrorKind::Misconfigured, ..error })?;
        if self.passes_secrets(side) {
            guard(&call.url).map_err(wrong)?;
        }
        Ok(call)
    }

    /// Those whose URL is known are looked at before anything is sent.
    pub(super) fn guard_sides(&self) -> Result<(), String> {
        for side in self.definition.sides().filter(|side| self.passes_secrets(side)) {
            if let Target::Fixed(url) = &self.side_recipe(side)?.url {
                guard(url)?;
            }
        }
        Ok(())
    }

    fn passes_secrets(&self, side: &Side) -> bool {
        Traveller { account: &self.account, signs: &self.signing.made() }.with_side(side)
    }

    fn side_recipe(&self, side: &Side) -> Result<Recipe, String> {
        let values = handlebars::Context::from(serde_json::Value::Object(self.account.values.clone()));
        let signs = self.signing.made();
        let ground = Ground {
            account: &self.account,
            values: &values,
            signs: &signs,
            masked: self.masked,
            endpoint: self.endpoint.as_ref(),
        };
        let method = match side.method {
            SideMethod::Get => Method::GET,
            SideMethod::Post => Method::POST,
            SideMethod::Put => Method::PUT,
        };
        let headers = ground.headers(None, &[&side.headers.0], &side.auth)?;
        let mut recipe = Recipe {
            name: String::new(),
            needs: Vec::new(),
            without: Vec::new(),
            method,
            url: ground.target(&side.url)?,
            query: ground.query(&[&side.query.0])?,
            headers,
            body: side.body.clone(),
            omit_empty: true,
            names: Vec::new(),
        };
        recipe.note_names(&self.signing.names());
        Ok(recipe)
    }
}
