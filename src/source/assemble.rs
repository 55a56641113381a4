//! From a row as it was read to recipients: account, address, key, and one recipient for each address and account that it names.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::delivery::DeliveryId;
use crate::priority::Priority;
use crate::problem::did_you_mean;
use crate::recipient::{Place, RowError, Vars};
use crate::source::address;
use crate::source::columns::{Account, Plan, fold};
use crate::source::options::ReadOptions;
use crate::source::raw::{Content, EXTRA, Raw};

/// Addresses and accounts that one row may name at most; more is a list, not a row.
const MAX_FAN: usize = 1000;

/// Wrong addresses of one row that are told one by one; each has the whole row beside it.
const MAX_BAD: usize = 10;

/// One record of the spool.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A recipient.
    Good(Good),
    /// A row that fails.
    Bad {
        /// Where and why.
        error: RowError,
        /// What was read.
        raw: Vars,
    },
}

impl Entry {
    /// What the row says of its priority.
    pub fn priority(&self) -> Option<Priority> {
        match self {
            Entry::Good(good) => good.priority,
            Entry::Bad { .. } => None,
        }
    }
}

/// A recipient before its key is complete: how often its address or key stood before is known only when all rows are.
#[derive(Debug)]
pub(crate) struct Good {
    /// Line of the row.
    pub line: u64,
    /// Which account of the list.
    pub account: usize,
    /// The address; `None` is the account's fixed one.
    pub to: Option<String>,
    /// The explicit key.
    pub key: Option<String>,
    /// `_template`.
    pub template: Option<String>,
    /// `_priority`.
    pub priority: Option<Priority>,
    /// The delivery id of a retry file.
    pub id: Option<String>,
    /// The values.
    pub values: Values,
}

/// The values of a row.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// One for each column.
    Cells(Arc<csv::StringRecord>),
    /// An object, without the keys that are no variables. Where the row names several addresses, the key that holds them and the one
    /// that is meant: the object itself is shared, so that a thousand addresses do not make a thousand of it.
    Object(Arc<Vars>, Option<(String, String)>),
}

/// What a retry file carries over.
#[derive(Debug, Default)]
struct Carried {
    key: Option<String>,
    account: Option<String>,
    id: Option<String>,
    template: Option<String>,
}

/// Makes recipients of rows.
pub(crate) struct Assembler {
    /// Accounts by their place in the spool.
    pub accounts: Vec<Account>,
    /// Place of the default account.
    pub default: usize,
    /// Something to tell about columns.
    pub notices: BTreeSet<String>,
    /// Rows seen that could have an address.
    pub addressable: u64,
    /// Rows seen in which `--key`'s column stood.
    pub keyed: u64,
    only_default: bool,
    key: Option<String>,
    map: Vec<(String, String)>,
    /// Whether each `map` found its column in some row.
    pub mapped: Vec<bool>,
    /// Of the delimited header, or of the keys of the last JSON row.
    plan: Plan,
}

/// One row through the eyes of its plan.
enum Fields<'a> {
    Cells(&'a csv::StringRecord),
    Object(&'a Vars, &'a [String]),
}

impl Fields<'_> {
    fn value(&self, n: usize) -> Option<Cow<'_, Value>> {
        match self {
            Fields::Cells(cells) => cells.get(n).map(|cell| Cow::Owned(Value::from(cell))),
            Fields::Object(object, names) => names.get(n).and_then(|name| object.get(name)).map(Cow::Borrowed),
        }
    }

    /// A value as text, without the space around it: `None` where there is none, an error where it is a list or an object.
    fn text(&self, n: usize) -> Result<Option<Cow<'_, str>>, String> {
        match self {
            Fields::Cells(cells) => Ok(cells.get(n).map(address::trim).filter(|cell| !cell.is_empty()).map(Cow::Borrowed)),
            Fields::Object(object, names) => match names.get(n).and_then(|name| object.get(name)) {
                None | Some(Value::Null) => Ok(None),
                Some(value) => scalar(value).map(|text| text.filter(|text| !text.is_empty())),
            },
        }
    }
}

/// A JSON value as text; `None` for null.
fn scalar(value: &Value) -> Result<Option<Cow<'_, str>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(Cow::Borrowed(address::trim(text)))),
        Value::Number(number) => Ok(Some(Cow::Owned(number.to_string()))),
        Value::Bool(_) => Err("true or false".to_owned()),
        Value::Array(_) => Err("a list".to_owned()),
        Value::Object(_) => Err("an object".to_owned()),
    }
}

/// A mistake in one column.
struct Fault(Option<usize>, String);

impl Assembler {
    /// For rows read as `options` say. `default_account` must be among `addressing`.
    pub fn new(options: &ReadOptions) -> Self {
        let accounts: Vec<Account> = options
            .addressing
            .iter()
            .map(|(name, addressing)| Account { name: Arc::clone(name), addressing: addressing.clone() })
            .collect();
        let default = accounts.iter().position(|account| account.name == options.default_account).unwrap_or(0);
        Assembler {
            accounts,
            default,
            notices: BTreeSet::new(),
            addressable: 0,
            keyed: 0,
            only_default: options.only_default,
            key: options.key.clone(),
            map: options.map.clone(),
            mapped: vec![false; options.map.len()],
            plan: Plan::default(),
        }
    }

    /// The rows to come are cells under these names, which are mapped already.
    pub fn set_columns(&mut self, names: Vec<String>) -> &Plan {
        self.plan = Plan::new(names, &self.accounts, self.key.as_deref(), &mut self.notices);
        &self.plan
    }

    /// What the columns of the last row were for.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// One record or several for a row, in the order of its accounts and addresses.
    pub fn assemble(&mut self, raw: Raw, out: &mut Vec<Entry>) {
        let line = raw.line;
        match raw.content {
            Content::Bad { error, raw } => out.push(Entry::Bad { error, raw }),
            Content::Cells(cells) => {
                let cells = Arc::new(cells);
                let fields = Fields::Cells(&cells);
                let entries = self.recipients(&fields, line, |_, _| Values::Cells(Arc::clone(&cells)));
                self.addressable += 1;
                self.keyed += 1;
                out.extend(self.judged(entries, line, || self.cells_as_vars(&cells)));
            }
            Content::Object(object) => {
                let object = match self.renamed(object) {
                    Ok(object) => object,
                    Err((what, raw)) => {
                        let place = Place { line, ..Place::default() };
                        return out.push(Entry::Bad { error: RowError { place, what }, raw });
                    }
                };
                // An object without any key looks like the plan that was never made.
                if self.plan.addresses.is_empty() || !self.plan.names.iter().eq(object.keys()) {
                    let names = object.keys().cloned().collect();
                    self.plan = Plan::new(names, &self.accounts, self.key.as_deref(), &mut self.notices);
                }
                self.addressable += u64::from(self.plan.addressable(&self.accounts, self.default));
                self.keyed += u64::from(self.plan.key.is_some());
                let fields = Fields::Object(&object, &self.plan.names);
                let hidden = &self.plan.hidden;
                let shown = object.iter().enumerate().filter(|(n, _)| !hidden.contains(n));
                let vars: Arc<Vars> = Arc::new(shown.map(|(_, (name, value))| (name.clone(), value.clone())).collect());
                let entries = self.recipients(&fields, line, |column, to| {
                    let one = column.and_then(|n| self.plan.names.get(n)).map(|name| (name.clone(), to.to_owned()));
                    Values::Object(Arc::clone(&vars), one)
                });
                out.extend(self.judged(entries, line, || object.clone()));
            }
        }
    }

    fn cells_as_vars(&self, cells: &csv::StringRecord) -> Vars {
        self.plan.names.iter().zip(cells.iter()).map(|(name, cell)| (name.clone(), Value::from(cell))).collect()
    }

    fn judged(&self, entries: Result<Vec<Entry>, Fault>, line: u64, raw: impl Fn() -> Vars) -> Vec<Entry> {
        let mut entries = entries.unwrap_or_else(|fault| vec![self.bad(line, fault, Vars::new())]);
        for entry in &mut entries {
            if let Entry::Bad { raw: kept, .. } = entry {
                let mut whole = raw();
                // The one address out of a list that was wrong.
                whole.extend(std::mem::take(kept));
                *kept = whole;
            }
        }
        entries
    }

    fn bad(&self, line: u64, Fault(column, what): Fault, raw: Vars) -> Entry {
        let place = Place {
            line,
            column: column.and_then(|n| u32::try_from(n + 1).ok()),
            name: column.and_then(|n| self.plan.names.get(n).cloned()),
        };
        Entry::Bad { error: RowError { place, what }, raw }
    }

    /// The object under mapped names; what is wrong, and the object, where two keys would get one name.
    fn renamed(&mut self, object: Vars) -> Result<Vars, (String, Vars)> {
        if self.map.is_empty() {
            return Ok(object);
        }
        for (n, (to, from)) in self.map.iter().enumerate() {
            if object.contains_key(from) {
                self.mapped[n] = true;
                if object.contains_key(to) && !self.map.iter().any(|(_, other)| other == to) {
                    return Err((format!("the row has `{to}` and `{from}`, which --map calls `{to}` too"), object));
                }
            }
        }
        let name = |name: String| self.map.iter().find(|(_, from)| *from == name).map_or(name, |(to, _)| to.clone());
        Ok(object.into_iter().map(|(key, value)| (name(key), value)).collect())
    }

    fn recipients(
        &self,
        fields: &Fields<'_>,
        line: u64,
        values: impl Fn(Option<usize>, &str) -> Values,
    ) -> Result<Vec<Entry>, Fault> {
        let plan = &self.plan;
        if let Some(n) = plan.leftover {
            let name = &plan.names[n];
            let what = match fold(name) == EXTRA {
                true => format!("`{name}` holds fields that have no column: put them where they belong and delete it"),
                false => format!("`{name}` holds a row that could not be read: write it anew and delete it"),
            };
            return Err(Fault(Some(n), what));
        }
        let carried = self.carried(fields)?;
        let text = |n: Option<usize>| -> Result<Option<String>, Fault> {
            let Some(n) = n else { return Ok(None) };
            let text =
                fields.text(n).map_err(|kind| Fault(Some(n), format!("`{}` must be text, and is {kind}", plan.names[n])))?;
            Ok(text.map(Cow::into_owned))
        };
        for n in &plan.phones {
            if let Ok(Some(cell)) = fields.text(*n)
                && let Some(what) = address::excel(&cell)
            {
                return Err(Fault(Some(*n), what));
            }
        }
        let template = text(plan.template)?.or(carried.template);
        let word = text(plan.priority)?;
        let priority = word.as_deref().map(Priority::of_cell).transpose();
        let priority = priority.map_err(|bad| Fault(plan.priority, format!("`_priority`: {bad} (or 0 to 3)")))?;
        let mut key = text(plan.key)?;
        if key.is_none() && carried.key.is_none() {
            match (&self.key, plan.key) {
                (Some(name), Some(n)) => return Err(Fault(Some(n), format!("the row has no key: `{name}` is empty"))),
                (Some(name), None) => return Err(Fault(None, format!("the row has no key: it has no `{name}`"))),
                (None, _) => {}
            }
        }
        let fixed_key = carried.key.is_some();
        key = carried.key.or(key);
        let mut entries = Vec::new();
        let mut bad = 0;
        for account in self.accounts(fields, carried.account.as_deref())? {
            let addressing = &self.accounts[account].addressing;
            let named = self.addresses(fields, account)?;
            let Some((column, addresses)) = named else {
                entries.push(Entry::Good(Good {
                    line,
                    account,
                    to: None,
                    key: key.clone(),
                    template: template.clone(),
                    priority,
                    id: carried.id.clone(),
                    values: values(None, ""),
                }));
                continue;
            };
            let name = &plan.names[column];
            let several = addresses.len() > 1;
            if entries.len() + addresses.len() > MAX_FAN {
                return Err(Fault(Some(column), format!("one row names more than {MAX_FAN} recipients: make it several rows")));
            }
            for to in addresses {
                let to = match to {
                    Ok(to) => to,
                    Err(what) => return Err(Fault(Some(column), what)),
                };
                if let Some(what) = address::fault(&to, name, addressing.phone) {
                    bad += 1;
                    if bad > MAX_BAD {
                        return Err(Fault(
                            Some(column),
                            format!("more than {MAX_BAD} addresses of this row are wrong; one is: {what}"),
                        ));
                    }
                    let raw = if several { Vars::from_iter([(name.clone(), Value::from(to))]) } else { Vars::new() };
                    entries.push(self.bad(line, Fault(Some(column), what), raw));
                    continue;
                }
                // One key for several addresses would make one delivery of them.
                let key = key.as_ref().map(|key| if several && !fixed_key { format!("{key} {to}") } else { key.clone() });
                let id = carried.id.clone().filter(|_| !several);
                let values = values(several.then_some(column), &to);
                entries.push(Entry::Good(Good {
                    line,
                    account,
                    to: Some(to),
                    key,
                    template: template.clone(),
                    priority,
                    id,
                    values,
                }));
            }
        }
        Ok(entries)
    }

    /// What `_notify` says, where the row comes out of a retry file.
    fn carried(&self, fields: &Fields<'_>) -> Result<Carried, Fault> {
        let Some(n) = self.plan.notify else { return Ok(Carried::default()) };
        let Some(value) = fields.value(n) else { return Ok(Carried::default()) };
        let object = match value.as_ref() {
            Value::Null => return Ok(Carried::default()),
            Value::Object(object) => object,
            _ => return Err(Fault(Some(n), "`_notify` must be the object that a retry file has there".to_owned())),
        };
        let word = |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let mut carried = Carried { key: word("key"), account: word("account"), id: word("id"), template: word("template") };
        if let Some(id) = &carried.id
            && DeliveryId::parse(id).is_none()
        {
            return Err(Fault(
                Some(n),
                format!("`_notify.id` is not a delivery id: `{}`", id.chars().take(40).collect::<String>()),
            ));
        }
        // By another account it is another delivery.
        let moved =
            carried.account.as_deref().is_some_and(|account| self.only_default && *account != *self.accounts[self.default].name);
        if moved {
            carried.id = None;
        }
        Ok(carried)
    }

    /// The accounts a row goes by.
    fn accounts(&self, fields: &Fields<'_>, carried: Option<&str>) -> Result<Vec<usize>, Fault> {
        let find = |name: &str, column: Option<usize>| {
            self.accounts.iter().position(|account| *account.name == *name).ok_or_else(|| {
                let known = self.accounts.iter().map(|account| &*account.name);
                let help = match did_you_mean(name, known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the accounts are: {}", known.collect::<Vec<_>>().join(", ")),
                };
                Fault(column, format!("there is no account `{name}`: {help}"))
            })
        };
        let mut found = Vec::new();
        if !self.only_default {
            if let Some(n) = self.plan.via
                && let Some(value) = fields.value(n)
            {
                let names: Vec<String> = match value.as_ref() {
                    Value::Null => Vec::new(),
                    Value::String(text) => {
                        text.split([',', ';']).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
                    }
                    Value::Array(names) if names.iter().all(Value::is_string) => {
                        names.iter().filter_map(Value::as_str).map(|name| name.trim().to_owned()).collect()
                    }
                    _ => return Err(Fault(Some(n), "`_via` must be an account or a list of accounts".to_owned())),
                };
                for name in names {
                    let account = find(&name, Some(n))?;
                    if !found.contains(&account) {
                        found.push(account);
                    }
                }
            }
            if found.is_empty()
                && let Some(name) = carried
            {
                found.push(find(name, self.plan.notify)?);
            }
        }
        if found.is_empty() {
            found.push(self.default);
        }
        Ok(found)
    }

    /// The column that holds the row's addresses and what stands there; `None` where the account's fixed address serves.
    #[allow(clippy::type_complexity)] // one caller, which takes it apart at once
    fn addresses(&self, fields: &Fields<'_>, account: usize) -> Result<Option<(usize, Vec<Result<String, String>>)>, Fault> {
        let columns = &self.plan.addresses[account];
        for n in columns {
            // Where an account takes any kind of address, an empty email address must not turn the row into a text message: the header
            // says which kind the list has, and the row lacks it. A JSON row says for itself what it has.
            let any = self.accounts[account].addressing.any;
            if !any && matches!(fields, Fields::Cells(_)) && !columns.first().is_some_and(|first| self.plan.same_kind(*first, *n))
            {
                break;
            }
            let Some(value) = fields.value(*n) else { continue };
            let one = |value: &Value| match scalar(value) {
                Ok(text) => Ok(text.unwrap_or_default().into_owned()),
                Err(kind) => Err(format!("an address must be text, and this is {kind}")),
            };
            let found: Vec<Result<String, String>> = match value.as_ref() {
                Value::Array(items) => items.iter().map(one).collect(),
                single => vec![one(single)],
            };
            let list = matches!(value.as_ref(), Value::Array(_));
            if list && found.iter().any(|address| address.as_deref() == Ok("")) {
                return Err(Fault(Some(*n), format!("the list in `{}` has an empty address", self.plan.names[*n])));
            }
            if !found.is_empty() && found.iter().all(|address| address.as_deref() != Ok("")) {
                return Ok(Some((*n, found)));
            }
        }
        let account = &self.accounts[account];
        if account.addressing.fixed.is_some() {
            return Ok(None);
        }
        let what = match columns.first() {
            Some(n) => format!("the row has no address: `{}` is empty", self.plan.names[*n]),
            None => {
                let wanted = account.addressing.columns.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
                format!("the row has no address: account {} wants it in {wanted}", account.name)
            }
        };
        Err(Fault(columns.first().copied(), what))
    }
}
