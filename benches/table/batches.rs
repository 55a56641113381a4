//! A platform's call for several against one call a row, behind a round trip of 20 ms.
//!
//! Both sides are the whole job of the same program with a built-in definition; the limits that the definitions know are lifted by the
//! account (`limits: []`), or they alone would decide. Rows and requests are those that the service counted.

use std::time::Duration;

use crate::distance::Distance;
use crate::job::{self, Job, SECRET};
use crate::services::Services;
use crate::{PATIENCE, ROUNDS, middle, ratio};

/// From a request's last byte to the reply's first, computing not counted.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// What a chat gets: the same for all, about 300 bytes as JSON.
const NEWS: &str = "The office is closed on Friday; whoever has to come in asks for a key at the desk by Thursday noon. The heating is off \
on that day, and so are the lifts from the second floor up. Meetings of that day move to Monday at the same time and in the same room.\n";

/// One service, both ways.
struct Pair {
    name: &'static str,
    /// What the founding documents promise for such a service.
    promised: u32,
    /// The list's name.
    list: fn(u64) -> String,
    /// What is sent.
    words: &'static [&'static str],
    /// Account and name of the call for several.
    several: (&'static str, &'static str),
    /// Account and name of the call a row.
    single: (&'static str, &'static str),
    /// In flight where the definition decides for calls a row.
    wide: usize,
}

const PAIRS: [Pair; 5] = [
    Pair {
        name: "Feishu",
        promised: 30,
        list: |rows| lines("open_id", rows, |n| format!("ou_{n:032x}")),
        words: &["-t", "news"],
        several: ("feishu-batch", "`feishu-batch`, 200 people"),
        single: ("feishu-app", "`feishu-app`"),
        wide: 16,
    },
    Pair {
        name: "Email, Postmark",
        promised: 25,
        list: job::people,
        words: &["-t", "letter"],
        several: ("postmark", "`postmark`, 500 mails"),
        single: ("postmark", "`postmark -b 1`"),
        wide: 8,
    },
    Pair {
        name: "Email, Resend",
        promised: 25,
        list: job::people,
        words: &["-t", "letter"],
        several: ("resend", "`resend`, 100 mails"),
        single: ("resend", "`resend -b 1`"),
        wide: 4,
    },
    Pair {
        name: "SMS, Aliyun",
        promised: 40,
        list: |rows| lines("phone,params", rows, |n| format!("{},\"{{\"\"code\"\":\"\"{n:06}\"\"}}\"", 13_900_000_000 + n)),
        words: &[],
        several: ("aliyun", "`aliyun-sms`, 100 numbers"),
        single: ("aliyun", "`aliyun-sms -b 1`"),
        wide: 16,
    },
    Pair {
        name: "SMS, Tencent",
        promised: 40,
        list: |rows| lines("phone,params", rows, |n| format!("{},\"[\"\"noon\"\"]\"", 13_900_000_000 + n)),
        words: &[],
        several: ("tencent", "`tencent-sms`, 200 numbers"),
        single: ("tencent", "`tencent-sms -b 1`"),
        wide: 16,
    },
];

fn lines(heading: &str, rows: u64, row: impl Fn(u64) -> String) -> String {
    (0..rows).map(row).fold(format!("{heading}\n"), |list, row| list + &row + "\n")
}

/// One side of a pair at one width.
struct Side {
    account: &'static str,
    name: &'static str,
    words: Vec<String>,
    list: String,
    rows: u64,
    /// Requests with messages, and those for a token, of the last round.
    requests: (u64, u64),
    /// Rows a second of the whole job, the same with preflight not counted, CPU microseconds a row.
    rounds: Vec<[f64; 3]>,
    missing: Option<String>,
}

impl Side {
    fn round(&mut self, job: &Job, services: &Services) -> Result<(), String> {
        services.taken();
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let done = job.list(&self.list, self.account, &words, PATIENCE)?;
        let taken = services.taken();
        if let Some(what) = taken.wrong {
            return Err(format!("the service does not know {what}"));
        }
        let counts = [done.sent, done.results, taken.rows, taken.different.len() as u64];
        if counts != [self.rows; 4] {
            return Err(format!("of {} rows: sent, in results.csv, taken, different: {counts:?}", self.rows));
        }
        let rows = self.rows as f64;
        self.requests = (taken.requests, taken.tokens);
        self.rounds.push([
            rows / done.run.wall.as_secs_f64(),
            rows / done.sending.as_secs_f64().max(1e-9),
            done.run.cpu.as_secs_f64() * 1e6 / rows,
        ]);
        Ok(())
    }

    fn middle(&self, which: usize) -> f64 {
        middle(self.rounds.iter().map(|round| round[which]).collect())
    }
}

/// The config of all accounts of the table.
fn accounts(at: &str) -> String {
    let mut text = "version: 1\ndefaults: { from: Corp <no-reply@corp.example> }\naccounts:\n".to_owned();
    for (name, platform, keys) in [
        ("feishu-batch", "feishu-batch", format!("app_id: cli_bench, app_secret: {{ env: {SECRET} }}")),
        ("feishu-app", "feishu-app", format!("app_id: cli_bench, app_secret: {{ env: {SECRET} }}")),
        ("postmark", "postmark", format!("token: {{ env: {SECRET} }}")),
        ("resend", "resend", format!("key: {{ env: {SECRET} }}")),
        (
            "aliyun",
            "aliyun-sms",
            format!("key_id: LTAI-bench, key_secret: {{ env: {SECRET} }}, sign_name: notify, template_code: SMS_1"),
        ),
        (
            "tencent",
            "tencent-sms",
            format!(
                "secret_id: AKID-bench, secret_key: {{ env: {SECRET} }}, app_id: \"1400\", sign_name: notify, template_id: \"1\""
            ),
        ),
    ] {
        text += &format!("  {name}: {{ platform: {platform}, base: \"http://{at}\", limits: [], {keys} }}\n");
    }
    text
}

/// Both sides of every pair, one call at a time and as many in flight as the definition of the call a row allows.
fn sides(files: &mut Vec<(String, String)>, scaled: &dyn Fn(u64) -> u64) -> Vec<(&'static Pair, usize, [Side; 2])> {
    let mut table = Vec::new();
    for pair in &PAIRS {
        for width in [1, pair.wide] {
            // About as long for both: what one call a row does in three seconds, and enough calls for several that they decide.
            let (alone, many) = (scaled(150 * width as u64), scaled(20_000));
            let mut side = |(account, name): (&'static str, &'static str), rows: u64, more: &[&str]| {
                let list = format!("{account}-{rows}.csv");
                files.push((list.clone(), (pair.list)(rows)));
                let width = width.to_string();
                let words = pair.words.iter().chain(more).chain(&["-j", &width]).map(|word| (*word).to_owned()).collect();
                Side { account, name, words, list, rows, requests: (0, 0), rounds: Vec::new(), missing: None }
            };
            table.push((pair, width, [side(pair.several, many, &[]), side(pair.single, alone, &["-b", "1"])]));
        }
    }
    table
}

/// Prints the table.
pub fn batches(scaled: &dyn Fn(u64) -> u64) -> Result<(), String> {
    let services = Services::start().map_err(|e| e.to_string())?;
    let proxy = Distance::before(services.address, ROUND_TRIP / 2).map_err(|e| e.to_string())?;
    let mut files = vec![
        ("notify.yaml".to_owned(), accounts(&proxy.address.to_string())),
        ("templates/news.txt".to_owned(), NEWS.to_owned()),
        ("templates/letter.txt".to_owned(), job::letter()),
    ];
    let mut table = sides(&mut files, scaled);
    let files: Vec<(&str, String)> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let job = Job::of(&files)?;
    for _ in 0..ROUNDS {
        for side in table.iter_mut().flat_map(|(_, _, sides)| sides).filter(|side| side.missing.is_none()) {
            side.missing = side.round(&job, &services).err();
        }
    }
    println!("### A call for several against a call a row, behind a round trip of 20 ms\n");
    println!(
        "| service | in flight | call | rows a round | requests | round trips | rows/s, whole job | preflight not counted | CPU us a row | \
         several : single, whole job | preflight not counted | founding documents |"
    );
    println!("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (pair, width, sides) in &table {
        let [several, single] = sides;
        for side in sides {
            if let Some(why) = &side.missing {
                println!("| {} | {width} | {} | left out: {why} |", pair.name, side.name);
                continue;
            }
            let (requests, tokens) = side.requests;
            let cpu = if side.middle(2) > 0.0 { format!("{:.0}", side.middle(2)) } else { "-".to_owned() };
            let both = several.missing.is_none() && single.missing.is_none();
            let ratios = if both && std::ptr::eq(side, several) {
                let times = |which| ratio(several.middle(which) / single.middle(which).max(1e-9));
                format!("**{}** | {} | {}", times(0), times(1), pair.promised)
            } else {
                "| |".to_owned()
            };
            println!(
                "| {} | {width} | {} | {} | {requests} | {} | {:.0} | {:.0} | {cpu} | {ratios} |",
                pair.name,
                side.name,
                side.rows,
                requests + tokens,
                side.middle(0),
                side.middle(1),
            );
        }
    }
    println!();
    Ok(())
}
