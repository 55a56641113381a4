//! Cells of CSV files that spreadsheets open: quoted as RFC 4180 says, and never taken for a formula.

use std::io::{self, Write};

/// So that Excel reads UTF-8.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// Writes one row, ended by CR LF.
///
/// # Errors
/// The writer's.
pub fn write_row<S: AsRef<str>>(out: &mut dyn Write, cells: impl IntoIterator<Item = S>) -> io::Result<()> {
    for (n, cell) in cells.into_iter().enumerate() {
        if n > 0 {
            out.write_all(b",")?;
        }
        write_cell(out, cell.as_ref())?;
    }
    out.write_all(b"\r\n")
}

fn write_cell(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let quoted = text.contains([',', '"', '\r', '\n', ';', '\t']) || text.starts_with(' ') || text.ends_with(' ');
    if quoted {
        out.write_all(b"\"")?;
    }
    if is_formula(text) {
        out.write_all(b"'")?;
    }
    if text.contains('"') {
        out.write_all(text.replace('"', "\"\"").as_bytes())?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    if quoted {
        out.write_all(b"\"")?;
    }
    Ok(())
}

/// Whether a spreadsheet may compute it: begins with = + - @ TAB CR LF (or their full-width forms), and is not a plain number.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) && !is_number(text)
}

/// `-5`, `+3.2`, `-1e-7`: digits with a sign, a point and an exponent at most.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction) && digits(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> String {
        let mut out = Vec::new();
        write_row(&mut out, cells).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn formulas_are_text_and_numbers_stay_numbers() {
        for harmless in ["-5", "+3.2", "-1e-7", "+8613800000000", "0012", "a=b", "x@y.example", ""] {
            assert_eq!(row(&[harmless]), format!("{harmless}\r\n"));
        }
        for formula in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "-", "+", "=", "-1-1", "＝1", "-.5e"] {
            assert_eq!(row(&[formula]), format!("'{formula}\r\n"));
        }
        assert_eq!(row(&["\t=1"]), "\"'\t=1\"\r\n");
        assert_eq!(row(&["\r=1"]), "\"'\r=1\"\r\n");
        assert_eq!(row(&["=HYPERLINK(\"http://x\",\"y\")"]), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"\r\n");
    }

    #[test]
    fn quotes_are_doubled_and_lines_kept() {
        assert_eq!(row(&["a,b", "say \"hi\"", "two\nlines", "plain"]), "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",plain\r\n");
    }
}
