//! Whether a credential travels with requests: in a header field, the URL, its query or a body. Then it goes over https, or not out of
//! this machine.
//!
//! A key that only makes signatures stays at home. An URL that the user names whole is a matter between user and receiver: who writes
//! `http://` there has said so.

use crate::platform::declared::account::{Account, HeaderText, is_telling};
use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::form::Form;
use crate::platform::declared::definition::kinds::Field;
use crate::platform::declared::definition::request::Auth;
use crate::platform::declared::definition::side::Side;
use crate::platform::declared::definition::sign::How;
use crate::platform::declared::text::leaf::Text;

/// Who asks: the account, and the signatures that are made for it.
pub struct Traveller<'a> {
    /// The account.
    pub account: &'a Account,
    /// The signatures.
    pub signs: &'a [&'a str],
}

impl Traveller<'_> {
    /// Messages carry one.
    pub fn with_messages(&self, definition: &Definition) -> bool {
        let request = &definition.request;
        let shared = || definition.batch.iter().filter_map(|batch| batch.request.as_ref());
        let urls = request.url.iter().chain(definition.kinds().filter_map(|kind| kind.url.as_ref()));
        let urls = urls.chain(shared().filter_map(|request| request.url.as_ref()));
        let fields = request.query.0.iter().chain(&request.headers.0);
        let fields = fields.chain(definition.kinds().flat_map(|kind| kind.query.0.iter().chain(&kind.headers.0)));
        let fields = fields.chain(shared().flat_map(|request| request.query.0.iter().chain(&request.headers.0)));
        let lists = definition.batch.iter().flat_map(|batch| &batch.lists).filter_map(|list| list.each.as_ref());
        let passing = definition.sign.iter().filter_map(|sign| match &sign.how {
            How::Named(cloud) => cloud.session_token.as_ref(),
            How::Hmac(_) => None,
        });
        definition.addressing.credential
            || self.auth(&request.auth)
            || self.own_headers()
            || self.fields(fields)
            || urls.chain(passing).any(|text| self.text(text))
            || definition.forms().into_iter().any(|form| self.form(form))
            || self.account.body.iter().chain(lists).flat_map(|tree| tree.names()).any(|name| self.telling(name))
    }

    /// This request that carries no message carries one.
    pub fn with_side(&self, side: &Side) -> bool {
        self.auth(&side.auth)
            || self.text(&side.url)
            || self.own_headers()
            || self.fields(side.query.0.iter().chain(&side.headers.0))
            || side.body.as_ref().is_some_and(|form| self.form(form))
    }

    /// The fetched credential, or a secret that the account has.
    fn telling(&self, name: &str) -> bool {
        name == "token" || (name.starts_with("secret.") && self.account.get(name).is_some())
    }

    fn text(&self, text: &Text) -> bool {
        text.names().iter().any(|name| self.telling(name))
    }

    fn form(&self, form: &Form) -> bool {
        form.names().into_iter().any(|name| self.telling(name))
    }

    fn auth(&self, auth: &[Auth]) -> bool {
        auth.iter().any(|auth| self.account.meets(auth.when.as_ref(), self.signs))
    }

    fn fields<'f>(&self, mut fields: impl Iterator<Item = &'f (String, Field)>) -> bool {
        // What looks at the message may hold for some of them.
        let meant = |field: &Field| {
            field.when.as_ref().is_none_or(|when| when.of_message() || self.account.meets(Some(when), self.signs))
        };
        fields.any(|(_, field)| meant(field) && self.text(&field.value))
    }

    fn own_headers(&self) -> bool {
        self.account.headers.iter().any(|(name, text)| match text {
            HeaderText::Secret(_) => true,
            HeaderText::Template(text) => is_telling(name.as_str()) || self.text(text),
        })
    }
}
