//! Tests of the room: what is refused and in which words, what rows become, and what no row can do.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::message::{Body, Content, Message, Wants};
use crate::problem::Problem;
use crate::recipient::Vars;
use crate::template::compiled::{Options, Template};
use crate::template::render_error::RenderError;
use crate::template::source_files::TemplateFiles;

fn row(value: Value) -> Vars {
    match value {
        Value::Object(map) => map,
        _ => Vars::new(),
    }
}

fn compiled(name: &str, text: &str) -> Template {
    Template::compile(&TemplateFiles::from_text(name, text), &Options::default()).unwrap_or_else(|p| panic!("{}", shown(&p)))
}

fn refused(name: &str, text: &str) -> Vec<Problem> {
    Template::compile(&TemplateFiles::from_text(name, text), &Options::default()).err().unwrap_or_default()
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

fn email(name: &str, text: &str, vars: Value) -> Result<Message, RenderError> {
    compiled(name, text).render(&Wants::Email, &row(vars))
}

fn text(source: &str, vars: Value) -> String {
    match email("t.txt", source, vars).map(|m| m.body) {
        Ok(Body::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn fails(source: &str, vars: Value) -> RenderError {
    email("t.txt", source, vars).err().unwrap_or_else(|| panic!("rendered"))
}

fn html(name: &str, source: &str, vars: Value) -> (String, String) {
    match email(name, source, vars).map(|m| m.body) {
        Ok(Body::Html { html, text }) => (html, text),
        other => panic!("{other:?}"),
    }
}

fn hook() -> Wants {
    Wants::Named(vec!["webhook".to_owned()])
}

fn native(source: &str, vars: Value) -> Result<Value, RenderError> {
    compiled("t.json", source).render(&hook(), &row(vars)).map(|m| match m.body {
        Body::Native(tree) => tree,
        other => panic!("{other:?}"),
    })
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Template, Vec<Problem>>) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), files);
    let template = TemplateFiles::find("t", &[dir.path().to_owned()])
        .map_err(|problem| vec![problem])
        .and_then(|files| Template::compile(&files, &Options::default()));
    (dir, template)
}

// ---- broken templates ----

#[test]
fn twenty_broken_templates_are_each_named_in_a_sentence() {
    // file name, text, line, words of the sentence
    let table: &[(&str, &str, usize, &str)] = &[
        ("t.txt", "a\nb\n{{#if name}}\nc\n", 3, "`{{#if}}` opened on line 3 is never closed"),
        ("t.txt", "{{#if name}}\nc\n{{/each}}\n", 3, "`{{/each}}` closes `{{#if}}` opened on line 1"),
        ("t.txt", "a\n{{/if}}\n", 2, "`{{/if}}` closes a block that was never opened"),
        ("t.txt", "a\nHello {{name\nb\n", 2, "the tag `{{name` on line 2 is never closed"),
        ("t.txt", "a\n\nHello {{}}\n", 3, "`{{}}` names nothing"),
        ("t.txt", "a\n{{else}}\n", 2, "`{{else}}` stands outside of any block"),
        ("t.txt", "{{#if a}}\n{{else}}\n{{else}}\n{{/if}}", 3, "`{{else}}` is the second `else` of `{{#if}}`"),
        (
            "t.txt",
            "{{#each a}}\n{{#if b}}\nx\n{{/each}}\n",
            2,
            "`{{#if}}` opened on line 2 is not closed before `{{/each}}` on line 4",
        ),
        ("t.txt", "a\n{{uper name}}\n", 2, "there is no helper `uper`"),
        ("t.txt", "a\nb {{First Name}}\n", 2, "there is no helper `First`"),
        ("t.txt", "a\n{{#name}}x{{/name}}\n", 2, "there is no block `name`"),
        ("t.txt", "a\n{{> header}}\n", 2, "there is no partial or layout `header`"),
        ("t.txt", "a\n{{truncate name}}\n", 2, "`{{truncate}}` takes 2 parameters, not 1"),
        ("t.txt", "a\n{{default name \"friend}}\n", 2, "has a quote that is never closed"),
        ("t.txt", "a\n{{#if (eq a b}}x{{/if}}\n", 2, "has a parenthesis that is never closed"),
        ("t.txt", "a\nb {name}} c\n", 2, "`{name}}` has one brace before the name and two after it"),
        ("t.html", "<p>\n{{{name}}\n</p>", 2, "opens with three braces and closes with two"),
        ("t.txt", "a\n{{amount + 1}}\n", 2, "has `+`, which means nothing inside a tag"),
        ("t.html", "<p>\n<a href={{link}}>x</a>", 2, "is the value of an attribute without quotes"),
        ("t.json", "{\n \"a\": {{{b}}}\n}", 2, "would let a value change the JSON around it"),
        ("t.json", "{\n \"a\": 1,\n}", 3, "it is not JSON: trailing comma"),
        ("t.md", "Subjet: x\n\nhello", 1, "`Subjet:` is not a header"),
        ("t.md", "Subject: {{nmae\n\nhello", 1, "the tag `{{nmae` on line 1 is never closed"),
        ("t.md", "Subject: x\nTo: a@b.c\n\nhello", 2, "`To:` cannot be set by a template"),
        ("t.md", "Subject: x\nhello there\n\nb", 2, "neither a header"),
        ("t.txt", "a\n{{date d formt=\"x\"}}\n", 2, "`date` does not know `formt=`"),
        ("t.txt", "a\n{{> (lookup a \"b\")}}\n", 2, "the name of a partial cannot be computed"),
        ("t.txt", "a\n{{#upper name}}x{{/upper}}\n", 2, "`upper` is not a block"),
        ("t.txt", "a\n{{if name}}\n", 2, "`if` opens a block"),
        ("t.txt", "a\n{{#if amount > 3}}x{{/if}}\n", 2, "has `>`, which means nothing inside a tag"),
        ("t.txt", "a\n{{(upper name)}}\n", 2, "needs no parentheses"),
        ("t.md", "---\nsubject: x\n", 1, "the front matter that `---` opens is never closed"),
        ("t.md", "Attachment: no-such-file.pdf\n\nx", 1, "the attachment `no-such-file.pdf` does not exist"),
        ("t.html", "<p>\n<img src=\"./no.png\">", 2, "the image `./no.png` does not exist"),
    ];
    for (name, source, line, words) in table {
        let problems = refused(name, source);
        assert!(!problems.is_empty(), "compiled: {source}");
        let told = shown(&problems);
        let first = &problems[0];
        assert!(first.what.contains(words), "{source:?}\n{told}");
        assert_eq!(first.line, Some(*line), "{told}");
        assert!(first.column.is_some() && first.text.is_some() && first.path.is_some(), "{told}");
        assert!(!told.contains("expected"), "grammar is shown: {told}");
        assert_eq!(problems.len(), 1, "one mistake, one problem: {told}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_with_what_was_meant() {
    let told = shown(&refused("t.txt", "{{uper name}}\n{{#if a}}{{lowr b}}{{/if}}\n{{> head}}"));
    assert!(
        told.contains("did you mean `upper`?") && told.contains("did you mean `lower`?") && told.contains("partials/head.txt"),
        "{told}"
    );
    let told = shown(&refused("t.txt", "{{First Name}}"));
    assert!(told.contains("`{{[First Name]}}`"), "{told}");
}

#[test]
fn a_circle_of_partials_is_refused() {
    let (_dir, template) =
        folder(&[("t/email.txt", "{{> a}}"), ("t/partials/a.txt", "{{> b}}"), ("t/partials/b.txt", "{{> a}}")]);
    assert!(shown(&template.unwrap_err()).contains("in a circle"));
    assert!(!refused("t.txt", "{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}").is_empty());
}

// ---- strictness ----

#[test]
fn an_undefined_variable_is_an_error_wherever_it_stands() {
    for source in [
        "a\n{{missing}}",
        "a\n{{#if missing}}x{{/if}}",
        "a\n{{#unless missing}}x{{/unless}}",
        "a\n{{#each missing}}x{{/each}}",
        "a\n{{#with missing}}x{{/with}}",
        "a\n{{upper missing}}",
        "a\n{{#if (eq missing \"x\")}}x{{/if}}",
        "a\n{{upper (trim missing)}}",
        "a\n{{#*inline \"p\"}}{{v}}{{/inline}}{{> p v=missing}}",
        "a\n{{number amount decimals=missing}}",
        "a\n{{{missing}}}",
    ] {
        let error = fails(source, json!({"amount": "3"}));
        assert!(error.what.contains("t.txt:2: the variable `missing` is not defined"), "{source}: {error}");
        assert_eq!(error.variable.as_deref(), Some("missing"), "{source}");
    }
}

#[test]
fn lenient_and_default_and_empty_are_allowed() {
    let files =
        TemplateFiles::from_text("t.txt", "[{{missing}}{{#if missing}}x{{/if}}{{#each missing}}y{{/each}}{{upper missing}}]");
    let template = Template::compile(&files, &Options { strict: false, ..Options::default() }).unwrap();
    assert_eq!(template.render(&Wants::Email, &Vars::new()).unwrap().body, Body::Text("[]".to_owned()));
    assert_eq!(text("{{default missing \"friend\"}}{{#if (default x \"\")}}y{{/if}}{{name}}", json!({"name": ""})), "friend");
}

#[test]
fn missing_columns_are_found_before_rendering() {
    let template = compiled(
        "t.md",
        "Subject: Hi {{nmae}}\n\n{{#each items}}{{title}} {{../city}} {{@root.plan}}{{/each}}\n{{#if ammount}}x{{/if}} {{default nick \"x\"}} {{_key}}",
    );
    let columns: Vec<String> = ["email", "name", "amount", "items"].map(str::to_owned).to_vec();
    let problems = template.check_columns(&columns, &Wants::Email);
    let told = shown(&problems);
    let names: Vec<_> = problems.iter().map(|p| (p.line.unwrap(), p.column.unwrap(), p.width)).collect();
    assert_eq!(names, [(1, 15, 4), (3, 31, 4), (3, 46, 4), (4, 7, 7)], "{told}");
    assert!(told.contains("did you mean `name`?") && told.contains("did you mean `amount`?"), "{told}");
    assert!(!told.contains("variable `nick`") && !told.contains("variable `_key`"), "{told}");
}

#[test]
fn a_column_may_be_called_like_a_helper() {
    let vars = json!({"title": "T", "date": "D", "url": "U", "items": [{"url": "V"}], "len": 3});
    assert_eq!(
        text(
            "{{title}} {{date}} {{url}} {{#each items}}{{url}}{{/each}} {{#each items as |title|}}{{title.url}}{{/each}} {{len}}",
            vars
        ),
        "T D U V V 3"
    );
}

#[test]
fn declared_variables_are_checked_and_defaulted() {
    let yaml = "subject: \"Hi {{name}}\"\nvariables:\n  name: { type: string, default: friend }\n  amount: number\n  vip: { type: bool, required: false }\n  since: { type: date, required: false }\n  tags: { type: list, required: false }\n";
    let body = "{{name}} {{amount}} {{#if vip}}VIP{{/if}} {{#each tags}}<{{this}}>{{/each}}{{#if since}}{{date since}}{{/if}}";
    let (_dir, template) = folder(&[("t/template.yaml", yaml), ("t/email.txt", body)]);
    let template = template.unwrap_or_else(|p| panic!("{}", shown(&p)));
    let render =
        |vars: Value| template.render(&Wants::Email, &row(vars)).map(|m| (m.subject.unwrap(), m.body.text().unwrap().to_owned()));
    assert_eq!(
        render(json!({"amount": "1.10", "vip": "no", "tags": "a; b"})).unwrap(),
        ("Hi friend".to_owned(), "friend 1.10  <a><b>".to_owned())
    );
    assert_eq!(render(json!({"name": "", "amount": 3, "vip": "yes"})).unwrap().1, "friend 3 VIP ");
    let wrong = |vars: Value| render(vars).unwrap_err();
    assert_eq!(wrong(json!({"amount": "many"})).what, "`amount` is `many`, but the template wants a number");
    assert_eq!(wrong(json!({"amount": ""})).variable.as_deref(), Some("amount"));
    assert!(wrong(json!({"amount": "1", "since": "soon"})).what.contains("a date like"));
    let problems = template.check_columns(&["email".to_owned()], &Wants::Email);
    assert_eq!(problems.len(), 1, "{}", shown(&problems));
    assert_eq!(problems[0].line, Some(1));
}

#[test]
fn template_yaml_is_read_strictly() {
    let cases = [
        ("subjct: x\n", 1, "`subjct` is not a key"),
        ("subject: x\nvariables:\n  a: { typ: string }\n", 3, "`typ` says nothing"),
        ("subject: x\nvariables:\n  a: strng\n", 3, "`strng` is not a type"),
        ("subject: {{name}}\n", 1, "`subject` must be text"),
        ("a: [\n", 2, "this is not YAML"),
        ("subject: x\nheaders:\n  Bcc: a@b.c\n", 3, "`Bcc:` cannot be set"),
        ("subject: x\nattachments: [nope.pdf]\n", 2, "`nope.pdf` does not exist"),
        ("subject: x\nvariables:\n  n: { type: number, default: many }\n", 3, "the default of `n` is not a number"),
    ];
    for (yaml, line, words) in cases {
        let (_dir, template) = folder(&[("t/template.yaml", yaml), ("t/email.txt", "x")]);
        let problems = template.err().unwrap_or_default();
        let told = shown(&problems);
        assert!(told.contains(words), "{yaml}: {told}");
        assert_eq!(problems[0].line, Some(line), "{told}");
    }
}

// ---- forms ----

#[test]
fn headers_come_from_lines_or_front_matter() {
    for source in [
        "Subject: Hi {{name}}\nFrom: A <a@example.com>\nReply-To: r@example.com\nX-Campaign: {{name}}\nList-Id: <l.example.com>\n\nHello {{name}}\n",
        "---\nsubject: \"Hi {{name}}\"\nfrom: A <a@example.com>\nreply_to: r@example.com\nheaders:\n  X-Campaign: \"{{name}}\"\n  List-Id: <l.example.com>\n---\nHello {{name}}\n",
        "---\nSubject: Hi {{name}}\nFrom: A <a@example.com>\nReply-To: r@example.com\nX-Campaign: {{name}}\nList-Id: <l.example.com>\n---\nHello {{name}}\n",
    ] {
        let message = email("t.txt", source, json!({"name": "Ann"})).unwrap();
        assert_eq!(message.subject.as_deref(), Some("Hi Ann"));
        assert_eq!(message.from.as_deref(), Some("A <a@example.com>"));
        assert_eq!(message.reply_to.as_deref(), Some("r@example.com"));
        assert_eq!(
            message.headers,
            [("X-Campaign".to_owned(), "Ann".to_owned()), ("List-Id".to_owned(), "<l.example.com>".to_owned())]
        );
        assert_eq!(message.body, Body::Text("Hello Ann\n".to_owned()));
    }
    assert_eq!(text("Note: the office is closed.\n", json!({})), "Note: the office is closed.\n");
}

#[test]
fn html_gets_styles_inline_and_a_text() {
    let source = "Subject: x\n\n<html><head><title>no</title><style>.b{color:red}</style></head><body><h1>Hi {{name}}</h1><table>{{#each items}}<tr><td class=\"b\">{{this}}</td></tr>{{/each}}</table><a href=\"https://e.example/{{url name}}\">go</a></body></html>";
    let (page, plain) = html("t.html", source, json!({"name": "<Ann & Bob>", "items": ["one", "two"]}));
    assert!(page.contains("Hi &lt;Ann &amp; Bob&gt;"), "{page}");
    assert!(page.contains("href=\"https://e.example/%3CAnn%20%26%20Bob%3E\""), "{page}");
    if cfg!(feature = "inline-css") {
        assert_eq!(page.matches("color: red").count() + page.matches("color:red").count(), 2, "{page}");
        assert!(page.contains("<tr><td class=\"b\" style=\"color: red;\">one</td></tr>") || page.contains("color:red"), "{page}");
    }
    assert!(
        plain.contains("Hi <Ann & Bob>")
            && plain.contains("one")
            && plain.contains("https://e.example/%3CAnn")
            && !plain.contains("color"),
        "{plain}"
    );
    assert!(!plain.contains("no\n"), "{plain}");
}

#[test]
fn markdown_becomes_html_and_text() {
    let source = "Subject: x\n\n# Hi {{name}}\n\nYour code is `{{code}}`, **{{name}}**.\n\n{{#each items}}\n- {{this}}\n{{/each}}\n\n[Open]({{link}})\n";
    let vars = json!({"name": "*Ann* [x](http://e)", "code": "A_B-1*2", "items": ["a|b", "# c"], "link": "https://e.example/?a=1&b=\"2\""});
    let (page, plain) = html("t.md", source, vars);
    assert!(page.contains("<h1>Hi *Ann* [x](http://e)</h1>"), "{page}");
    assert!(page.contains("<code>A_B-1*2</code>") && page.contains("<strong>*Ann* [x](http://e)</strong>"), "{page}");
    assert!(page.contains("<li>a|b</li>") && page.contains("<li># c</li>"), "{page}");
    assert!(page.contains("<a href=\"https://e.example/?a=1&amp;b=&quot;2&quot;\">Open</a>"), "{page}");
    assert!(plain.contains("Hi *Ann* [x](http://e)\n\nYour code is A_B-1*2, *Ann*"), "{plain}");
    assert!(plain.contains("- a|b\n- # c\n\nOpen (https://e.example/?a=1&b=\"2\")"), "{plain}");
}

#[test]
fn a_link_of_a_row_cannot_run_code() {
    for (name, source) in [("t.md", "[x]({{l}})"), ("t.html", "<a href=\"{{l}}\">x</a>"), ("t.html", "<a href = '{{ l }}'>x</a>")]
    {
        for bad in ["javascript:alert(1)", " JaVa\tscript:alert(1)", "data:text/html,x", "vbscript:x"] {
            assert!(email(name, source, json!({"l": bad})).is_err(), "{source} {bad}");
        }
        assert!(email(name, source, json!({"l": "https://example.com/javascript:x"})).is_ok());
    }
}

#[test]
fn json_is_a_tree_that_values_come_into() {
    let source = "{\"text\": \"Hi {{name}}\", \"n\": {{amount}}, \"all\": {{json items}}, \"said\": \"{{json items}}\", \"ok\": {{#if ok}}true{{else}}false{{/if}}}";
    let tree = native(source, json!({"name": "A \"B\"\n\\", "amount": "12.50", "items": [1, "x"], "ok": "false"})).unwrap();
    assert_eq!(tree, json!({"text": "Hi A \"B\"\n\\", "n": 12.50, "all": [1, "x"], "said": "[1,\"x\"]", "ok": false}));
    let error = native(source, json!({"name": "", "amount": "1, \"admin\": true", "items": [], "ok": ""})).unwrap_err();
    assert!(error.what.contains("stands outside of quotes"), "{error}");
    assert!(
        native("[{{#each items}}\"{{this}}\",{{/each}}]", json!({"items": [1, 2]})).unwrap_err().what.contains("it is not JSON")
    );
}

#[test]
fn folders_have_layouts_partials_and_languages() {
    let (_dir, template) = folder(&[
        ("t/template.yaml", "subject: { default: \"Hi {{name}}\", zh: \"你好 {{name}}\" }\n"),
        ("t/email.html", "{{#> base title=\"News\"}}<p>{{name}}</p>{{/base}}"),
        ("t/email.zh.html", "{{#> base title=\"新闻\"}}<p>{{name}} 您好</p>{{/base}}"),
        ("t/email.txt", "plain {{name}}"),
        ("t/webhook.json", "{\"name\": \"{{name}}\"}"),
        ("layouts/base.html.hbs", "<html><body><h1>{{title}}</h1>{{> @partial-block}}{{> foot}}</body></html>"),
        ("partials/foot.html", "<i>shared</i>"),
        ("t/partials/foot.html", "<i>own {{name}}</i>"),
    ]);
    let template = template.unwrap_or_else(|p| panic!("{}", shown(&p)));
    let mail = |lang: &str| {
        let message = template.render(&Wants::Email, &row(json!({"name": "A&B", "lang": lang}))).unwrap();
        match message.body {
            Body::Html { html, text } => (message.subject.unwrap(), html, text),
            other => panic!("{other:?}"),
        }
    };
    let (subject, page, plain) = mail("en");
    assert_eq!((subject.as_str(), plain.as_str()), ("Hi A&B", "plain A&B"));
    assert!(page.contains("<h1>News</h1><p>A&amp;B</p><i>own A&amp;B</i>"), "{page}");
    let (subject, page, plain) = mail("zh_CN");
    assert_eq!(subject, "你好 A&B");
    assert!(page.contains("新闻") && plain.contains("A&B 您好"), "{plain}");
    let hooked = template.render(&hook(), &row(json!({"name": "A\"B"}))).unwrap();
    assert_eq!(hooked.body, Body::Native(json!({"name": "A\"B"})));
    let chat = template.render(&Wants::Named(vec!["chat".to_owned()]), &row(json!({"name": "A"}))).unwrap();
    assert_eq!(chat.body, Body::Text("plain A".to_owned()));
    assert!(template.warnings().is_empty(), "{}", shown(&template.warnings()));
    assert_eq!(template.files().digest.len(), 64);
}

#[test]
fn markdown_may_have_a_layout() {
    let (_dir, template) = folder(&[
        ("t/template.yaml", "subject: x\nlayout: base\n"),
        ("t/email.md", "# {{name}}\n"),
        ("layouts/base.html", "<body>{{name}}: {{> @partial-block}}</body>"),
    ]);
    let template = template.unwrap_or_else(|p| panic!("{}", shown(&p)));
    let message = template.render(&Wants::Email, &row(json!({"name": "<A>"}))).unwrap();
    assert_eq!(
        message.body,
        Body::Html { html: "<body>&lt;A&gt;: <h1>&lt;A&gt;</h1>\n</body>".to_owned(), text: "<A>\n".to_owned() }
    );
}

#[test]
fn rows_may_carry_their_content() {
    let template = Template::from_row_content(&Options::default()).unwrap();
    let message = template.render(&Wants::Email, &row(json!({"subject": "a\r\nBcc: x", "text": "{{name}} {{#if}}"}))).unwrap();
    assert_eq!(message.subject.as_deref(), Some("a Bcc: x"));
    assert_eq!(message.body, Body::Text("{{name}} {{#if}}".to_owned()));
    let card = template.render(&hook(), &row(json!({"card": {"a": "{{b}}"}}))).unwrap();
    assert_eq!(card.body, Body::Native(json!({"a": "{{b}}"})));
    let page = template.render(&Wants::Email, &row(json!({"markdown": "# {{x}}"}))).unwrap();
    assert!(matches!(page.body, Body::Html { html, text } if html.contains("<h1>{{x}}</h1>") && text == "{{x}}\n"));
    assert!(template.render(&Wants::Email, &row(json!({"name": "x"}))).is_err());
}

// ---- helpers ----

#[test]
fn helpers_do_what_they_say() {
    let vars = json!({"n": "1234567.5", "one": 1, "two": "2", "name": "ann o'neil", "d": "2026-03-09", "t": "2026-03-09T18:30:00Z", "list": ["a", "b"], "f": "false", "z": "0"});
    for (source, expected) in [
        ("{{upper name}} {{title name}} {{trim \" x \"}} {{lower \"ABC\"}}", "ANN O'NEIL Ann O'neil x abc"),
        (
            "{{number n}} {{number n 2}} {{number n decimals=0}} {{number n 2 locale=\"de\"}}",
            "1,234,567.5 1,234,567.50 1,234,568 1.234.567,50",
        ),
        (
            "{{money n}} {{money n \"EUR\" locale=\"de\"}} {{money two \"JPY\"}} {{money \"-3.005\" \"CHF\"}} {{money \"-1\"}}",
            "$1,234,567.50 1.234.567,50\u{a0}€ ¥2 CHF -3.01 -$1.00",
        ),
        ("{{percent 0.253}} {{percent \"0.2534\" 1}} {{percent 1}}", "25.3% 25.3% 100%"),
        (
            "{{one}} {{plural one \"item\"}}, {{two}} {{plural two \"item\"}}, {{plural list \"child\" \"children\"}}",
            "1 item, 2 items, children",
        ),
        (
            "{{date d}}|{{date d \"long\"}}|{{date d format=\"full\" locale=\"zh\"}}|{{date d \"%d.%m.%Y\"}}",
            "Mar 9, 2026|March 9, 2026|2026年3月9日 星期一|09.03.2026",
        ),
        (
            "{{date t \"%H:%M\" tz=\"Asia/Shanghai\"}} {{date t \"iso\"}} {{date d \"iso\"}}",
            "02:30 2026-03-09T18:30:00+00:00 2026-03-09",
        ),
        (
            "{{truncate name 6}} {{url name}} {{join list \" + \"}} {{json list}} {{len list}} {{lookup list 1}}",
            "ann o… ann%20o%27neil a + b [\"a\",\"b\"] 2 b",
        ),
        (
            "{{#if f}}x{{else}}y{{/if}}{{#if z}}x{{else}}y{{/if}}{{#if (and one (not f))}}z{{/if}}{{#unless f}}u{{/unless}}",
            "yyzu",
        ),
        (
            "{{#if (eq two 2)}}a{{/if}}{{#if (gt n 1000)}}b{{/if}}{{#if (lte \"2\" \"10\")}}c{{/if}}{{#if (ne name \"x\")}}d{{/if}}{{#if (or f z)}}e{{/if}}",
            "abcd",
        ),
        ("{{#each list as |x i|}}{{i}}{{x}}{{#unless @last}},{{/unless}}{{/each}}", "0a,1b"),
        ("{{number \"99.995\" 2}} {{number \"0.5\" 0}} {{number \"-0.001\" 2}} {{number \"1,234\"}}", "100.00 1 0.00 1,234"),
    ] {
        assert_eq!(text(source, vars.clone()), expected, "{source}");
    }
    for (source, words) in [
        ("{{number name}}", "t.txt:1: `name`: `ann o'neil` is not a number"),
        ("{{date name}}", "`name`: `ann o'neil` is not a date"),
        ("{{#each name}}x{{/each}}", "`name` is not a list"),
        ("{{date d \"lnog\"}}", "`lnog` is not a date format"),
    ] {
        let error = fails(source, vars.clone());
        assert!(error.what.contains(words), "{error}");
    }
}

// ---- attachments and reserved columns ----

#[test]
fn attachments_are_fixed_or_of_the_row_and_never_from_outside() {
    let (dir, template) = folder(&[
        ("t/template.yaml", "subject: x\nattachments:\n  - terms.txt\n  - \"inv/{{id}}.pdf\"\n"),
        ("t/email.html", "<body><img src=\"./img/logo.png\"><img alt=\"x\" src=\"cid:seal.gif\"></body>"),
        ("t/img/logo.png", "png"),
        ("t/img/seal.gif", "gif"),
        ("t/terms.txt", "terms"),
        ("t/inv/7.pdf", "seven"),
        ("t/extra.csv", "a,b"),
        ("secret.txt", "no"),
    ]);
    let template = template.unwrap_or_else(|p| panic!("{}", shown(&p)));
    let render = |vars: Value| template.render(&Wants::Email, &row(vars));
    let message = render(json!({"id": "7", "_attach": "extra.csv; terms.txt", "_cc": "a@b.c; \"X, Y\" <d@e.f>", "_bcc": ["g@h.i"], "_reply_to": "r@e.x\r\nBcc: z", "_meta.campaign": "spring"})).unwrap();
    let names: Vec<_> =
        message.attachments.iter().map(|a| (a.name.as_str(), a.content_type.as_str(), a.cid.as_deref())).collect();
    assert_eq!(
        names,
        [
            ("terms.txt", "text/plain", None),
            ("7.pdf", "application/pdf", None),
            ("logo.png", "image/png", Some("logo.png")),
            ("seal.gif", "image/gif", Some("seal.gif")),
            ("extra.csv", "text/csv", None),
            ("terms.txt", "text/plain", None)
        ]
    );
    assert!(matches!(&message.attachments[1].content, Content::File { len: 5, .. }));
    assert!(matches!(&message.attachments[0].content, Content::Shared(bytes) if &bytes[..] == b"terms"));
    assert_eq!(message.cc, ["a@b.c", "\"X, Y\" <d@e.f>"]);
    assert_eq!(message.bcc, ["g@h.i"]);
    assert_eq!(message.reply_to.as_deref(), Some("r@e.x Bcc: z"));
    assert_eq!(message.meta.get("campaign"), Some(&json!("spring")));
    assert!(
        matches!(message.body, Body::Html { html, .. } if html.contains("src=\"cid:logo.png\"") && html.contains("src=\"cid:seal.gif\""))
    );
    for bad in ["../secret.txt", "/etc/hostname", "img/../../secret.txt", "nope.pdf", "img"] {
        let error = render(json!({"id": "7", "_attach": bad})).unwrap_err();
        assert_eq!(error.variable.as_deref(), Some("_attach"), "{bad}: {error}");
    }
    assert!(render(json!({"id": "8"})).unwrap_err().what.contains("`inv/8.pdf` does not exist"));
    assert!(render(json!({"id": "../../secret"})).is_err());
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.path().join("secret.txt"), dir.path().join("t/link.txt")).unwrap();
        assert!(render(json!({"id": "7", "_attach": "link.txt"})).unwrap_err().what.contains("outside"));
    }
    drop(dir);
}

#[test]
fn templates_are_found_by_name_and_path() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("welcome.md", "Subject: Hi\n\nx"),
            ("bill.html.hbs", "x"),
            ("alert/email.txt", "x"),
            ("partials/p.txt", "x"),
            ("two.md", "x"),
            ("two.txt", "x"),
        ],
    );
    let search = [dir.path().to_owned()];
    for name in ["welcome", "welcome.md", "bill", "alert"] {
        assert!(TemplateFiles::find(name, &search).is_ok(), "{name}");
    }
    let path = dir.path().join("welcome.md");
    assert_eq!(TemplateFiles::find(path.to_str().unwrap(), &[]).unwrap().name, "welcome");
    let problem = TemplateFiles::find("welcom", &search).unwrap_err();
    assert_eq!(problem.help.as_deref(), Some("did you mean `welcome`?"));
    assert!(TemplateFiles::find("two", &search).unwrap_err().what.contains("two templates"));
    let list = TemplateFiles::list(&search);
    let names: Vec<_> = list.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["alert", "bill", "two", "welcome"]);
    assert_eq!(list[3].title.as_deref(), Some("Hi"));
    let one = TemplateFiles::find("welcome", &search).unwrap();
    let again: TemplateFiles = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
    assert_eq!(one, again);
}

#[test]
fn warnings_name_what_is_hardly_meant() {
    let told = shown(&compiled("t.html", "<p>{{{raw}}}</p>").warnings());
    assert!(told.contains("as it is") && told.contains("no subject"), "{told}");
}

#[test]
fn shipped_templates_render_the_sample_list() {
    let search = [Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")];
    for listing in TemplateFiles::list(&search) {
        let files = TemplateFiles::find(&listing.name, &search).unwrap();
        let template = Template::compile(&files, &Options::default()).unwrap_or_else(|p| panic!("{}", shown(&p)));
        assert!(template.warnings().is_empty(), "{}", shown(&template.warnings()));
        let mut vars = row(json!({"email": "ann@example.com", "lang": "en"}));
        for variable in template.declared() {
            if let Some(example) = &variable.example {
                vars.insert(variable.name.clone(), example.clone());
            }
        }
        if listing.name == "welcome" {
            vars = row(
                json!({"email": "ann@example.com", "name": "Ann", "company": "", "plan": "pro", "signup_date": "2026-01-05"}),
            );
            let columns: Vec<String> = vars.keys().cloned().collect();
            assert!(template.check_columns(&columns, &Wants::Email).is_empty());
        }
        let message = template.render(&Wants::Email, &vars).unwrap_or_else(|e| panic!("{}: {e}", listing.name));
        assert!(message.subject.is_some_and(|s| !s.is_empty()));
        match message.body {
            Body::Html { html, text } => {
                assert!(html.contains("</html>") && html.len() < 60_000, "{}", listing.name);
                assert!(text.trim().len() > 40 && !text.contains('<'), "{}: {text}", listing.name);
                assert!(html.lines().all(|l| l.len() < 900), "{}", listing.name);
            }
            other => panic!("{other:?}"),
        }
        let hooked = template.render(&hook(), &vars).unwrap();
        assert!(hooked.body != Body::default());
    }
    assert_eq!(TemplateFiles::names(&search), ["alert", "newsletter", "receipt", "welcome"]);
}

#[test]
fn a_template_renders_from_several_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let template = compiled("t.md", "Subject: {{n}}\n\n# {{n}}");
    shared(&template);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let template = &template;
            scope.spawn(move || {
                for i in 0..200 {
                    let n = format!("{thread}-{i}");
                    let message = template.render(&Wants::Email, &row(json!({"n": n}))).unwrap();
                    assert_eq!(message.subject.as_deref(), Some(n.as_str()));
                    assert_eq!(message.body.text(), Some(format!("{n}\n").as_str()));
                }
            });
        }
    });
}

#[test]
fn loops_and_output_are_bounded() {
    let list: Vec<u32> = (0..2000).collect();
    let error = fails("{{#each l}}{{#each ../l}}{{#each ../../l}}x{{/each}}{{/each}}{{/each}}", json!({"l": list}));
    assert!(error.what.contains("turns") || error.what.contains("10 MiB"), "{error}");
    let long = "x".repeat(100_000);
    let list: Vec<u32> = (0..200).collect();
    assert!(fails("{{#each l}}{{../long}}{{/each}}", json!({"l": list, "long": long})).what.contains("10 MiB"));
}

// ---- what no row can do ----

fn wild() -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        Just("\r\nBcc: x@y.z\r\n".to_owned()),
        Just("<script>alert(1)</script>".to_owned()),
        Just("\" onclick=\"x".to_owned()),
        Just("\", \"admin\": true, \"x\": \"".to_owned()),
        Just("](http://evil) [x](http://evil)".to_owned()),
        Just("{{name}} {{#each}}".to_owned()),
        Just("\u{F0000}\u{F0010}\u{F0001}\u{F0002}\u{F0003}".to_owned()),
        Just("\n\n# h\n\n    code\n- x\n> q\n<b>\n---\n".to_owned()),
        Just("`*_~|\\&amp;&#60;".to_owned()),
        any::<String>(),
    ];
    proptest::collection::vec(odd, 1..4).prop_map(|parts| parts.concat())
}

/// Tags of HTML by name, as a reader of it would see them.
fn tag_names(html: &str) -> Vec<String> {
    let names = html
        .split('<')
        .skip(1)
        .map(|rest| rest.split(|c: char| c.is_whitespace() || c == '>').next().unwrap_or_default().to_owned());
    names.collect()
}

fn shape(tree: &Value) -> Value {
    match tree {
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), shape(v))).collect()),
        Value::Array(list) => Value::Array(list.iter().map(shape).collect()),
        _ => Value::Null,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_value_is_ever_markup(value in wild()) {
        let tame = json!({"name": "tame", "n": "5"});
        let wild = json!({"name": value, "n": value});

        let page = "Subject: {{name}}\nX-A: a {{name}}\nReply-To: {{name}}\n\n<p title=\"{{name}}\">Hi {{name}} <b>{{upper name}}</b></p><!-- {{name}} -->";
        let template = compiled("t.html", page);
        let message = template.render(&Wants::Email, &row(wild.clone())).unwrap();
        for line in message.subject.iter().chain(&message.reply_to).chain(message.headers.iter().map(|(_, v)| v)) {
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        let Body::Html { html: wild_html, .. } = message.body else { panic!() };
        let Body::Html { html: tame_html, .. } = template.render(&Wants::Email, &row(tame.clone())).unwrap().body else { panic!() };
        prop_assert_eq!(tag_names(&wild_html), tag_names(&tame_html));
        prop_assert_eq!(wild_html.matches('"').count(), tame_html.matches('"').count());

        let (wild_html, _) = html("t.md", "# {{name}}\n\n- a {{name}}\n- **{{name}}** `{{name}}`\n\n| a |\n|---|\n| {{name}} |\n\n{{name}}\n\n[t {{name}}](https://e.example/{{url name}} \"{{name}}\")\n", wild.clone());
        let (tame_html, _) = html("t.md", "# {{name}}\n\n- a {{name}}\n- **{{name}}** `{{name}}`\n\n| a |\n|---|\n| {{name}} |\n\n{{name}}\n\n[t {{name}}](https://e.example/{{url name}} \"{{name}}\")\n", tame.clone());
        prop_assert_eq!(tag_names(&wild_html), tag_names(&tame_html));

        let source = "{\"a\": \"x {{name}}\", \"b\": [\"{{name}}\"], \"c\": {\"d\": \"{{json name}}\", \"e\": {{json name}}}}";
        let tree = native(source, wild.clone()).unwrap();
        prop_assert_eq!(shape(&tree), shape(&native(source, tame.clone()).unwrap()));
        prop_assert_eq!(&tree["b"][0], &json!(value));
        prop_assert_eq!(&tree["c"]["e"], &json!(value));
        if let Ok(tree) = native("{\"a\": [{{n}}]}", wild) {
            prop_assert_eq!(shape(&tree), json!({"a": [null]}));
        }
        prop_assert_eq!(text("{{name}}", json!({"name": value})), value);
    }

    #[test]
    fn no_template_breaks_the_compiler(source in "[ -~\n]{0,12}(\\{\\{[#/>!^&]?[a-z ()\"=.@-]{0,14}\\}{0,3}[ -~\n]{0,8}){0,4}") {
        let files = TemplateFiles::from_text("t.html", &source);
        if let Ok(template) = Template::compile(&files, &Options::default()) {
            let _ = template.render(&Wants::Email, &row(json!({"a": "b"})));
            let _ = template.check_columns(&[], &Wants::Email);
        }
    }
}
