//! The columns with a meaning of their own: further recipients, reply address, attachments of the row, metadata.

use serde_json::Value;

use crate::message::Message;
use crate::recipient::Vars;
use crate::template::compiled::Template;
use crate::template::helper::args::text_of;
use crate::template::one_line::{addresses, listed, one_line};
use crate::template::render_error::RenderError;

impl Template {
    /// The columns with a meaning of their own.
    pub(super) fn reserved(&self, vars: &Vars, message: &mut Message) -> Result<(), RenderError> {
        for (name, value) in vars {
            match name.as_str() {
                "_cc" => message.cc = addresses(value),
                "_bcc" => message.bcc = addresses(value),
                "_reply_to" => {
                    let text = one_line(&text_of(value));
                    if !text.is_empty() {
                        message.reply_to = Some(text);
                    }
                }
                "_meta" => match value {
                    Value::Object(map) => message.meta.extend(map.clone()),
                    Value::Null => {}
                    Value::String(text) if text.trim().is_empty() => {}
                    Value::String(text) => match serde_json::from_str(text) {
                        Ok(Value::Object(map)) => message.meta.extend(map),
                        _ => {
                            return Err(RenderError::of(
                                "_meta",
                                "`_meta` is not a JSON object; single values go into columns like `_meta.campaign`",
                            ));
                        }
                    },
                    _ => return Err(RenderError::of("_meta", "`_meta` is not a JSON object")),
                },
                other => {
                    if let Some(key) = other.strip_prefix("_meta.") {
                        message.meta.insert(key.to_owned(), value.clone());
                    } else if other == "_attach" || Some(other) == self.attach_column.as_deref() {
                        for file in listed(value, &[';']) {
                            let attachment = self.roots.for_row(&file).map_err(|what| RenderError::of(other, what))?;
                            message.attachments.push(attachment);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
