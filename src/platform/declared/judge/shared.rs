//! One reply, one verdict for each delivery of the request: by place, by name, or by lists of those that were not taken.
//!
//! Invariant: a delivery that the reply does not speak of is in doubt; no delivery is taken for the sake of another.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::batch::{Batch, Pause, Refused, Verdict, Verdicts};
use crate::delivery::Delivery;
use crate::error::{ErrorKind, Reach, SendError};
use crate::platform::declared::condition::{Proof, Seen};
use crate::platform::declared::definition::Phone;
use crate::platform::declared::definition::reply::Scope;
use crate::platform::declared::definition::results::{Culprit, Invalid, Mode, Results};
use crate::platform::declared::judge::single::{Judge, Law, Read, find};
use crate::platform::declared::judge::words::{kind_of, text_of};
use crate::platform::declared::text::find::is_empty;
use crate::platform::http::{Failure, Reply};

/// Numbers of element rules in the memory begin here.
const ELEMENTS: usize = 1 << 20;

/// Two numbers that agree in so many last digits are one, written with and without its country.
const LOCAL: usize = 8;

impl Judge<'_> {
    /// One verdict for each delivery of the request.
    pub fn verdicts(&self, batch: &Batch, answer: Result<Reply, Failure>) -> Verdicts {
        let deliveries = batch.deliveries();
        let who = if deliveries.len() == 1 { deliveries.first() } else { None };
        let reply = match answer {
            Ok(reply) => reply,
            Err(failure) => return Verdicts::all(batch, &Err(self.failure(&failure, who))),
        };
        let read = Read::new(&reply);
        let seen = read.seen(&reply);
        let results = self.results;
        let list = results.and_then(|results| list_of(results, &seen));
        // A list of elements speaks for itself, where the definition does not say when the request as a whole was taken.
        let success = results.and_then(|results| results.success.as_ref()).unwrap_or_else(|| self.success());
        let speaks = results.is_some_and(|results| is_list(results.mode) && results.success.is_none());
        let proof = match success.prove(&seen) {
            _ if speaks && list.as_ref().is_some_and(|list| !list.is_empty()) => {
                if (200..300).contains(&reply.status) {
                    Proof::Holds
                } else {
                    Proof::Silent
                }
            }
            Proof::Holds if speaks => Proof::Silent,
            proof => proof,
        };
        let ruling = self.ruling(&reply, &seen, success, proof, who);
        let each = match (ruling.verdict, results) {
            (Ok(receipt), Some(results)) if !receipt.replay => self.share(results, batch, &seen, list.as_deref()),
            (Err(error), _) if ruling.blame && deliveries.len() > 1 => {
                let pause = self.pause(&seen, error.retry_after);
                let refused = results.map_or(Refused::Somewhere, |results| self.blame(results, deliveries, &seen));
                return Verdicts::refused(batch, &error, refused).with_pause(pause);
            }
            (verdict, _) => deliveries.iter().map(|_| verdict.clone()).collect(),
        };
        let longest = each.iter().filter_map(|verdict| verdict.as_ref().err().and_then(|error| error.retry_after)).max();
        let mut each = each.into_iter();
        let verdicts = Verdicts::each(batch, |_, _| each.next().unwrap_or_else(unspoken));
        verdicts.with_pause(self.pause(&seen, longest))
    }

    /// The rest that the service asks for in passing; `named` is a longer one that it asked for by an error.
    fn pause(&self, seen: &Seen<'_>, named: Option<Duration>) -> Option<Pause> {
        let adaptive = self.definition.adaptive.as_ref()?;
        let left: f64 = self.word(&adaptive.remaining, seen)?.parse().ok()?;
        if left >= 1.0 {
            return None;
        }
        let wait = self.wait(std::slice::from_ref(&adaptive.reset_in), seen).filter(|wait| !wait.is_zero())?;
        let reach = adaptive.scope.map_or(Reach::Account, Scope::reach);
        (named.is_none_or(|named| named < wait)).then_some(Pause { reach, wait })
    }

    /// The request as a whole was taken: now each delivery.
    fn share(
        &self,
        results: &Results,
        batch: &Batch,
        seen: &Seen<'_>,
        list: Option<&[(Option<String>, &Value)]>,
    ) -> Vec<Verdict> {
        let deliveries = batch.deliveries();
        let list = list.unwrap_or_default();
        match results.mode {
            Mode::All => deliveries.iter().map(|_| Ok(self.receipt(&results.id.0, seen))).collect(),
            Mode::ByIndex => self.by_index(results, deliveries, seen, list),
            Mode::ByKey => self.by_key(results, deliveries, seen, list),
            Mode::InvalidLists => self.but_for(results, deliveries, seen),
        }
    }

    /// All but those that the reply names. A refused one whose name nobody here has may be any of the others.
    fn but_for(&self, results: &Results, rows: &[Delivery], seen: &Seen<'_>) -> Vec<Verdict> {
        let names = Names::new(self.row_names(results, rows), self.definition.addressing.phone != Phone::No);
        let mut each: Vec<Option<Verdict>> = rows.iter().map(|_| None).collect();
        let mut lost = false;
        for invalid in &results.invalid {
            for (pointer, name) in invalid.names(seen) {
                let found = name.map(|name| names.rows(&name)).unwrap_or_default();
                lost |= found.is_empty();
                for row in found {
                    each[row].get_or_insert_with(|| Err(self.invalid(invalid, pointer, seen)));
                }
            }
        }
        let rest = || match lost {
            true => Err(SendError::new(
                ErrorKind::InDoubt,
                "the reply names one that was not taken by a name that no delivery of the request has",
            )),
            false => Ok(self.receipt(&results.id.0, seen)),
        };
        each.into_iter().map(|verdict| verdict.unwrap_or_else(rest)).collect()
    }

    fn invalid(&self, invalid: &Invalid, pointer: &str, seen: &Seen<'_>) -> SendError {
        let kind = kind_of(invalid.class.0, invalid.scope).unwrap_or(ErrorKind::InDoubt);
        let words = format!("the service names this address in {pointer}");
        let law = Law { rules: &[], offset: 0, code: &[], detail: &[] };
        let wait = self.wait(&invalid.wait, seen);
        self.error(kind, words, seen, &law, wait).with_reach(invalid.scope.map(Scope::reach))
    }

    fn by_index(&self, results: &Results, rows: &[Delivery], seen: &Seen<'_>, list: &[(Option<String>, &Value)]) -> Vec<Verdict> {
        let judged = list.iter().enumerate().map(|(at, (_, element))| self.element(results, seen, element, rows.get(at)));
        let judged: Vec<Verdict> = judged.collect();
        // With more elements than deliveries, places prove nothing, unless all say the same. With fewer, whoever was left out may have
        // stood anywhere, and moved those behind it.
        if judged.len() < rows.len() || (judged.len() > rows.len() && judged.iter().any(Result::is_err)) {
            return rows.iter().map(|_| unspoken()).collect();
        }
        let mut judged = judged.into_iter();
        rows.iter().map(|_| judged.next().unwrap_or_else(unspoken)).collect()
    }

    fn by_key(&self, results: &Results, rows: &[Delivery], seen: &Seen<'_>, list: &[(Option<String>, &Value)]) -> Vec<Verdict> {
        let names = Names::new(self.row_names(results, rows), self.definition.addressing.phone != Phone::No);
        // Elements by the first row of their name.
        let mut spoken: HashMap<Vec<usize>, Vec<&Value>> = HashMap::new();
        for (member, element) in list {
            let name = match (&results.key, member) {
                (Some(pointer), _) => element.pointer(&pointer.0).and_then(text_of),
                (None, Some(member)) => Some(member.clone()),
                (None, None) => text_of(element),
            };
            let found = name.map(|name| names.rows(&name)).unwrap_or_default();
            if !found.is_empty() {
                spoken.entry(found).or_default().push(element);
            }
        }
        let mut each: Vec<Verdict> = rows.iter().map(|_| unspoken()).collect();
        for (found, elements) in spoken {
            if elements.len() > found.len() {
                for row in found {
                    each[row] =
                        together(elements.iter().map(|element| self.element(results, seen, element, rows.get(row))).collect());
                }
            } else {
                for (row, element) in found.into_iter().zip(elements) {
                    each[row] = self.element(results, seen, element, rows.get(row));
                }
            }
        }
        each
    }

    /// One element, by its own test and rules.
    fn element(&self, results: &Results, seen: &Seen<'_>, element: &Value, who: Option<&Delivery>) -> Verdict {
        let own = seen.element(element);
        // A test that does not look at the element says nothing of it.
        let ok = results.ok.as_ref().or_else(|| Some(self.success()).filter(|success| success.wants_json()));
        let proof = ok.map_or(Proof::Silent, |ok| ok.prove(&own));
        if proof == Proof::Holds {
            return Ok(self.receipt(&results.id.0, &own));
        }
        let or = |own: &'_ [_], whole: &'_ [_]| if own.is_empty() { whole.to_vec() } else { own.to_vec() };
        let code = or(&results.code.0, &self.definition.code.0);
        let detail = or(&results.detail.0, &self.definition.detail.0);
        let rules = if results.errors.is_empty() { &self.definition.errors } else { &results.errors };
        let law = Law { rules, offset: ELEMENTS, code: &code, detail: &detail };
        let said = element.to_string();
        let worded = Seen { body: if own.body.is_empty() { &said } else { own.body }, ..own };
        let words = || self.words(seen.status.unwrap_or_default(), &worded, &law);
        if let Some((number, rule)) = find(rules, &own) {
            let (kind, reach, wait) = self.meaning(rule, number + law.offset, &own, who);
            return match kind {
                None => Ok(self.receipt(&results.id.0, &own)),
                Some(kind) => Err(self.error(kind, words(), &own, &law, wait).with_reach(reach)),
            };
        }
        if proof == Proof::Refuted {
            return self.by_default(&law, words(), &own).verdict;
        }
        unspoken()
    }

    /// Whose fault the refusal of the whole is, where the reply tells.
    fn blame(&self, results: &Results, rows: &[Delivery], seen: &Seen<'_>) -> Refused {
        let names = Names::new(self.row_names(results, rows), self.definition.addressing.phone != Phone::No);
        let mut guilty: Vec<usize> = Vec::new();
        for culprit in &results.culprit {
            for word in culprit.words(seen) {
                if culprit.key {
                    guilty.extend(names.rows(&word));
                } else {
                    guilty.extend(word.trim().parse::<usize>().ok().filter(|place| *place < rows.len()));
                }
            }
            if !guilty.is_empty() {
                break;
            }
        }
        if guilty.is_empty() {
            let lists = results.invalid.iter().flat_map(|invalid| invalid.names(seen));
            guilty.extend(lists.filter_map(|(_, name)| name).flat_map(|name| names.rows(&name)));
        }
        guilty.sort_unstable();
        guilty.dedup();
        if guilty.is_empty() { Refused::Somewhere } else { Refused::For(guilty) }
    }

    /// What the reply calls each delivery.
    fn row_names(&self, results: &Results, rows: &[Delivery]) -> Vec<String> {
        rows.iter()
            .map(|row| {
                let to = row.envelope.to.as_str();
                let to = self.memory.rewritten(to).unwrap_or_else(|| to.to_owned());
                match &results.matches {
                    Some(called) => called.of(&to, row.envelope.id.as_str()),
                    None => to,
                }
            })
            .collect()
    }
}

/// Several elements of one delivery (the parts of an SMS): taken only if all were; what must not be sent again in part is in doubt.
fn together(mut parts: Vec<Verdict>) -> Verdict {
    let taken = parts.iter().any(Result::is_ok);
    match parts.iter().position(Result::is_err) {
        None => parts.into_iter().next().unwrap_or_else(unspoken),
        Some(at) => parts.swap_remove(at).map_err(|error| {
            if !taken || !error.kind.retryable() {
                return error;
            }
            let detail = format!("some parts of it were taken: {}", error.detail);
            SendError { kind: ErrorKind::InDoubt, detail, ..error }
        }),
    }
}

fn unspoken() -> Verdict {
    Err(SendError::new(ErrorKind::InDoubt, "the reply did not speak of this delivery"))
}

fn is_list(mode: Mode) -> bool {
    matches!(mode, Mode::ByIndex | Mode::ByKey)
}

/// The elements, with their names where they are members of an object and the definition does not name a key inside.
fn list_of<'a>(results: &Results, seen: &Seen<'a>) -> Option<Vec<(Option<String>, &'a Value)>> {
    if !is_list(results.mode) {
        return None;
    }
    match seen.at(&results.path)? {
        Value::Array(list) => Some(list.iter().map(|element| (None, element)).collect()),
        Value::Object(map) if results.mode == Mode::ByKey && results.key.is_none() => {
            Some(map.iter().map(|(name, element)| (Some(name.clone()), element)).collect())
        }
        _ => None,
    }
}

/// Texts, numbers, or lists of them; one text may hold several.
fn words_of(value: &Value, split: Option<&str>) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().flat_map(|value| words_of(value, split)).collect(),
        Value::String(text) => match split.filter(|split| !split.is_empty()) {
            Some(split) => text.split(split).map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect(),
            None => vec![text.trim().to_owned()].into_iter().filter(|text| !text.is_empty()).collect(),
        },
        value => text_of(value).into_iter().collect(),
    }
}

impl Invalid {
    /// The addresses, each with the pointer under which it stood; `None` is one that is named in no way that we can read.
    fn names<'a>(&'a self, seen: &Seen<'_>) -> Vec<(&'a str, Option<String>)> {
        let mut found = Vec::new();
        for pointer in &self.at.0 {
            let Some(value) = seen.at(&pointer.0) else { continue };
            let mut add = |names: Vec<String>, there: bool| {
                let unread = there && names.is_empty();
                let names = names.into_iter().map(Some).chain(unread.then_some(None));
                found.extend(names.map(|name| (pointer.0.as_str(), name)));
            };
            let says = |value: &Value| !is_empty(value) && *value != Value::Bool(false);
            match (&self.key, value) {
                (Some(key), Value::Array(list)) => list.iter().for_each(|element| {
                    add(element.pointer(&key.0).map(|name| words_of(name, None)).unwrap_or_default(), true);
                }),
                (_, Value::Array(list)) => {
                    list.iter().for_each(|element| add(words_of(element, self.split.as_deref()), says(element)));
                }
                (_, value) => add(words_of(value, self.split.as_deref()), says(value)),
            }
        }
        found
    }
}

impl Culprit {
    /// Places or addresses, as texts.
    fn words(&self, seen: &Seen<'_>) -> Vec<String> {
        let wholes: Vec<&Value> = match &self.each {
            Some(each) => seen.at(&each.0).and_then(Value::as_array).into_iter().flatten().collect(),
            None => seen.json.into_iter().collect(),
        };
        let values = wholes.into_iter().filter_map(|whole| whole.pointer(&self.json.0));
        let words = values.flat_map(|value| words_of(value, self.split.as_deref()));
        words
            .filter_map(|word| match &self.pattern {
                None => Some(word),
                Some(pattern) => {
                    let found = pattern.0.captures(&word)?;
                    Some(found.get(1).or_else(|| found.get(0))?.as_str().to_owned())
                }
            })
            .collect()
    }
}

/// The deliveries by what a reply calls them: as it stands, then in any letter case, numbers by their digits.
struct Names {
    exact: HashMap<String, Vec<usize>>,
    folded: HashMap<String, Vec<usize>>,
    phone: bool,
}

impl Names {
    fn new(names: Vec<String>, phone: bool) -> Self {
        let (mut exact, mut folded): (HashMap<_, Vec<usize>>, HashMap<_, Vec<usize>>) = Default::default();
        for (row, name) in names.into_iter().enumerate() {
            folded.entry(fold(&name, phone)).or_default().push(row);
            exact.entry(name).or_default().push(row);
        }
        Names { exact, folded, phone }
    }

    fn rows(&self, name: &str) -> Vec<usize> {
        let folded = fold(name, self.phone);
        if let Some(rows) = self.exact.get(name).or_else(|| self.folded.get(&folded)) {
            return rows.clone();
        }
        if !self.phone || folded.len() < LOCAL {
            return Vec::new();
        }
        // With the country in one place and without it in the other; only where no other number ends like that.
        let near = |own: &str| own.len() >= LOCAL && (own.ends_with(&folded) || folded.ends_with(own));
        let mut found = self.folded.iter().filter(|(own, _)| near(own)).map(|(_, rows)| rows.clone());
        match (found.next(), found.next()) {
            (Some(rows), None) => rows,
            _ => Vec::new(),
        }
    }
}

fn fold(name: &str, phone: bool) -> String {
    if !phone {
        return name.to_lowercase();
    }
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    if name.starts_with("00") { digits.trim_start_matches('0').to_owned() } else { digits }
}
