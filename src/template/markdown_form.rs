//! Markdown forms: HTML and text from one parse of the skeleton.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::template::cook::{self, Page};
use crate::template::hole::{Pieces, unhide};

/// Where a layout, or the plain page below, takes the content.
pub(super) const CONTENT: char = '\u{F0003}';

/// The page that Markdown comes into where the template names no layout.
const PLAIN_PAGE: &str = "<!doctype html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n</head>\n<body style=\"margin:0;padding:24px 16px;background:#ffffff;color:#1f2328;font-family:-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'PingFang SC','Microsoft YaHei',sans-serif;font-size:16px;line-height:1.6\">\n<div style=\"max-width:600px;margin:0 auto\">\n\u{F0003}</div>\n</body>\n</html>\n";

/// Makes a page of a Markdown skeleton; `layout` is the skeleton of the page around it.
pub(super) fn page(skeleton: &str, layout: Option<&str>, inline_css: bool) -> Result<Page, String> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut content = String::with_capacity(skeleton.len() * 2);
    pulldown_cmark::html::push_html(&mut content, Parser::new_ext(skeleton, options));
    let html = layout.unwrap_or(PLAIN_PAGE).replace(CONTENT, &unhide(&content));
    let html = if inline_css { cook::inline(&html)? } else { html };
    Ok(Page { html: Pieces::cut_html(&html), text: Pieces::cut(&text_of(Parser::new_ext(skeleton, options))) })
}

/// Markdown read aloud: marks of emphasis gone, links with their address behind, lists and quotes as people type them.
fn text_of<'a>(events: impl Iterator<Item = Event<'a>>) -> String {
    let mut out = String::new();
    // What every line of the present block begins with, and the mark of the item that just began.
    let mut indent: Vec<String> = Vec::new();
    let mut lists: Vec<Option<u64>> = Vec::new();
    let mut links: Vec<(String, usize)> = Vec::new();
    let mut fresh = true;
    let mut cell = false;
    fn line(out: &mut String, indent: &[String], fresh: &mut bool) {
        if *fresh {
            out.push_str(&indent.concat());
            *fresh = false;
        }
    }
    fn end_line(out: &mut String, fresh: &mut bool) {
        if !*fresh {
            out.push('\n');
            *fresh = true;
        }
    }
    fn gap(out: &mut String, indent: &[String], fresh: &mut bool) {
        end_line(out, fresh);
        if !out.is_empty() && !out.ends_with("\n\n") {
            out.push_str(indent.concat().trim_end());
            out.push('\n');
        }
    }
    for event in events {
        match event {
            Event::Start(tag) => match tag {
                Tag::Paragraph | Tag::Heading { .. } | Tag::Table(_) if lists.is_empty() => {
                    gap(&mut out, &indent, &mut fresh);
                }
                Tag::BlockQuote(_) => {
                    gap(&mut out, &indent, &mut fresh);
                    indent.push("> ".to_owned());
                }
                Tag::CodeBlock(_) => {
                    gap(&mut out, &indent, &mut fresh);
                    indent.push("    ".to_owned());
                }
                Tag::List(first) => {
                    if lists.is_empty() {
                        gap(&mut out, &indent, &mut fresh);
                    } else {
                        end_line(&mut out, &mut fresh);
                    }
                    lists.push(first);
                }
                Tag::Item => {
                    end_line(&mut out, &mut fresh);
                    let mark = match lists.last_mut() {
                        Some(Some(number)) => {
                            *number += 1;
                            format!("{}. ", *number - 1)
                        }
                        _ => "- ".to_owned(),
                    };
                    line(&mut out, &indent, &mut fresh);
                    out.push_str(&mark);
                    indent.push(" ".repeat(mark.chars().count()));
                }
                Tag::Link { dest_url, .. } => links.push((dest_url.to_string(), out.len())),
                Tag::Image { .. } => {
                    line(&mut out, &indent, &mut fresh);
                    out.push('[');
                }
                Tag::TableHead | Tag::TableRow => {
                    end_line(&mut out, &mut fresh);
                    cell = false;
                }
                Tag::TableCell => {
                    line(&mut out, &indent, &mut fresh);
                    if cell {
                        out.push_str(" | ");
                    }
                    cell = true;
                }
                _ => {}
            },
            Event::End(tag) => match tag {
                TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::TableHead | TagEnd::TableRow => end_line(&mut out, &mut fresh),
                TagEnd::BlockQuote(_) | TagEnd::CodeBlock => {
                    end_line(&mut out, &mut fresh);
                    indent.pop();
                }
                TagEnd::Item => {
                    end_line(&mut out, &mut fresh);
                    indent.pop();
                }
                TagEnd::List(_) => drop(lists.pop()),
                TagEnd::Link => {
                    if let Some((address, from)) = links.pop() {
                        let address = address.strip_prefix("mailto:").unwrap_or(&address);
                        if out.get(from..) != Some(address) {
                            out.push_str(&format!(" ({address})"));
                        }
                    }
                }
                TagEnd::Image => out.push(']'),
                _ => {}
            },
            Event::Text(text) | Event::Code(text) => {
                for (i, part) in text.split('\n').enumerate() {
                    if i > 0 {
                        end_line(&mut out, &mut fresh);
                    }
                    if !part.is_empty() {
                        line(&mut out, &indent, &mut fresh);
                        out.push_str(part);
                    }
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                end_line(&mut out, &mut fresh);
            }
            Event::Rule => {
                gap(&mut out, &indent, &mut fresh);
                out.push_str("----\n");
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                // A value inside of HTML is still said; the tags are not.
                let bare = strip_tags(&html);
                if !bare.trim().is_empty() {
                    line(&mut out, &indent, &mut fresh);
                    out.push_str(bare.trim_end_matches('\n'));
                }
            }
            _ => {}
        }
    }
    out.trim_end().to_owned() + "\n"
}

fn strip_tags(html: &str) -> String {
    let mut inside = false;
    html.chars()
        .filter(|c| match c {
            '<' => {
                inside = true;
                false
            }
            '>' => {
                inside = false;
                false
            }
            _ => !inside,
        })
        .collect()
}
