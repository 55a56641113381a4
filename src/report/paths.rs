//! Where the files of a run are: in its folder of output, unless `--report` or `--failed` said otherwise.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::journal::folder::Manifest;

/// Where the files of a run are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The numbers.
    pub report: PathBuf,
    /// The same as a page.
    pub report_html: PathBuf,
    /// Every row, for people.
    pub results_csv: PathBuf,
    /// Every row, for programs.
    pub results_jsonl: PathBuf,
    /// Failed rows: what `notify retry` reads.
    pub failed_jsonl: PathBuf,
    /// Failed rows in the user's own columns.
    pub failed_csv: PathBuf,
    /// Rows in doubt, in the form of `failed_jsonl`.
    pub in_doubt_jsonl: PathBuf,
}

impl Paths {
    /// Of a run, by its manifest.
    pub fn of(manifest: &Manifest) -> Paths {
        let file = |name: &str| manifest.out.join(name);
        Paths {
            report: manifest.report.clone().unwrap_or_else(|| file("report.json")),
            report_html: file("report.html"),
            results_csv: file("results.csv"),
            results_jsonl: file("results.jsonl"),
            failed_jsonl: manifest.failed.clone().unwrap_or_else(|| file("failed.jsonl")),
            failed_csv: file("failed.csv"),
            in_doubt_jsonl: file("in_doubt.jsonl"),
        }
    }

    /// For `report.json`.
    pub fn as_json(&self) -> Value {
        json!({
            "report": self.report,
            "report_html": self.report_html,
            "results_csv": self.results_csv,
            "results_jsonl": self.results_jsonl,
            "failed_jsonl": self.failed_jsonl,
            "failed_csv": self.failed_csv,
            "in_doubt_jsonl": self.in_doubt_jsonl,
        })
    }
}
