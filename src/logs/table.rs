//! Tables that people exchange: CSV with a header, a JSON array of objects, or one JSON object a line.
//!
//! A bad row never costs a good one: [`read`] gives every row that could be read, and for each other its line and why.

use serde::Serialize;
use serde_json::{Map, Value};

/// A field longer than this is taken for damage, not data.
pub const LONGEST_FIELD: usize = 1 << 20;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated with a header line; fields may be quoted and then hold line breaks.
    Csv,
    /// One array of objects.
    Json,
    /// One object a line.
    Jsonl,
}

impl Format {
    /// The format that a file's name and first bytes tell: by extension, else `[` means JSON, `{` means JSONL.
    pub fn guess(name: &str, bytes: &[u8]) -> Self {
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && **byte < 0x80);
        match name.rsplit('.').next().map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => Self::Csv,
            Some("jsonl" | "ndjson") => Self::Jsonl,
            // Files called .json hold lines of objects often enough.
            _ if first == Some(&b'[') => Self::Json,
            _ if first == Some(&b'{') => Self::Jsonl,
            Some("json") => Self::Json,
            _ => Self::Csv,
        }
    }
}

/// One row: named fields in the order of the file, and the line it starts on.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Line number in the file, from 1; of a JSON array that is all in one line, the element's number.
    pub line: u64,
    /// The fields. CSV gives strings; JSON gives what it holds.
    pub fields: Map<String, Value>,
}

impl Row {
    /// Takes a field out as text; absent, null and blank count as missing.
    ///
    /// Numbers and booleans are taken as they are written.
    pub fn take_text(&mut self, name: &str) -> Option<String> {
        let text = match self.fields.shift_remove(name)? {
            Value::Null => return None,
            Value::String(text) => text,
            other => other.to_string(),
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// Takes out a field that must be there.
    ///
    /// # Errors
    /// Says which field is missing.
    pub fn require_text(&mut self, name: &str) -> Result<String, String> {
        self.take_text(name).ok_or_else(|| format!("\"{name}\" is missing or empty"))
    }
}

/// A row that could not be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Line number in the file, from 1.
    pub line: u64,
    /// Why, in a few words.
    pub why: String,
}

/// Why nothing of a table could be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TableError {
    /// The file holds nothing.
    #[error("the file is empty")]
    Empty,
    /// A CSV lacks columns that every row needs.
    #[error("column {} missing; the header has: {found}", quoted(missing))]
    MissingColumns {
        /// What is missing.
        missing: Vec<String>,
        /// What the header has.
        found: String,
    },
    /// The header itself is damaged.
    #[error("the header cannot be read: {0}")]
    Header(String),
    /// Not a JSON array.
    #[error("not a JSON array of objects: {0}")]
    Json(String),
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// A table as read: the good rows, and what was wrong with the others.
#[derive(Debug, Default)]
pub struct Table {
    /// The rows that could be read.
    pub rows: Vec<Row>,
    /// The rows that could not.
    pub rejected: Vec<Rejected>,
}

/// Reads a whole table. `required` columns must stand in a CSV's header; in JSON they are checked row by row by
/// whoever uses the row.
///
/// # Errors
/// When nothing can be read at all; a bad row is only [`Table::rejected`].
pub fn read(bytes: &[u8], format: Format, required: &[&str]) -> Result<Table, TableError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(TableError::Empty);
    }
    match format {
        Format::Csv => read_csv(bytes, required),
        Format::Json => read_json(bytes),
        Format::Jsonl => Ok(read_jsonl(bytes)),
    }
}

/// Writes flat rows as a whole table: CSV with a header (none for no rows), a JSON array, or JSONL. Fields stand as they
/// are: no guard against spreadsheet formulas, since a normal label of BGL is written `-`.
///
/// # Errors
/// Says what of a row does not fit a table.
pub fn write<T: Serialize>(rows: &[T], format: Format) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    match format {
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(&mut bytes);
            rows.iter().try_for_each(|row| writer.serialize(row)).map_err(|error| error.to_string())?;
            writer.flush().map_err(|error| error.to_string())?;
        }
        Format::Json => serde_json::to_writer(&mut bytes, rows).map_err(|error| error.to_string())?,
        Format::Jsonl => {
            for row in rows {
                serde_json::to_writer(&mut bytes, row).map_err(|error| error.to_string())?;
                bytes.push(b'\n');
            }
        }
    }
    Ok(bytes)
}

fn read_csv(bytes: &[u8], required: &[&str]) -> Result<Table, TableError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = reader.byte_headers().map_err(|error| TableError::Header(error.to_string()))?;
    let names: Vec<String> = header
        .iter()
        .map(|name| std::str::from_utf8(name).map(|name| name.trim().to_owned()))
        .collect::<Result<_, _>>()
        .map_err(|_| TableError::Header("it is not UTF-8".into()))?;
    let missing: Vec<String> =
        required.iter().filter(|want| !names.iter().any(|name| name == *want)).map(|&want| want.to_owned()).collect();
    if !missing.is_empty() {
        return Err(TableError::MissingColumns { missing, found: names.join(", ") });
    }

    let mut table = Table::default();
    let mut lines = Lines::of(bytes);
    let mut record = csv::ByteRecord::new();
    let mut from = byte_of(reader.position());
    for _ in 0..MOST_OPEN_QUOTES {
        let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(&bytes[from..]);
        let next = loop {
            // A record's own position is before the line breaks that lead to it.
            let start = from + byte_of(reader.position());
            let start = start + bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let line = lines.line_of(start);
            match reader.read_byte_record(&mut record) {
                Ok(false) => return Ok(table),
                Ok(true) => {}
                Err(error) => {
                    table.rejected.push(Rejected { line, why: error.to_string() });
                    return Ok(table);
                }
            }
            let raw = bytes[start..from + byte_of(reader.position())].trim_ascii_end();
            // Without its other half a quotation mark takes in all that follows: only its own line is lost.
            if let Some(first) = raw.iter().position(|&byte| byte == b'\n')
                && !is_well_quoted(raw)
            {
                let why = "a quotation mark is opened here and not closed where its field ends".into();
                table.rejected.push(Rejected { line, why });
                break start + first + 1;
            }
            match csv_row(&names, &record) {
                Ok(fields) => table.rows.push(Row { line, fields }),
                Err(why) => table.rejected.push(Rejected { line, why }),
            }
        };
        from = next;
    }
    let why = format!("{MOST_OPEN_QUOTES} quotation marks before this line are not closed: the rest was not read");
    table.rejected.push(Rejected { line: lines.line_of(from), why });
    Ok(table)
}

/// After so many quotation marks without their other half a table is given up: each may mean reading to the file's end.
const MOST_OPEN_QUOTES: usize = 1_000;

/// Whether every quoted field of a record ends where its quotation mark does (RFC 4180).
fn is_well_quoted(record: &[u8]) -> bool {
    let (mut at, mut field_begins) = (0, true);
    while let Some(&byte) = record.get(at) {
        at += 1;
        if !(field_begins && byte == b'"') {
            field_begins = byte == b',';
            continue;
        }
        loop {
            let Some(length) = record[at..].iter().position(|&byte| byte == b'"') else { return false };
            at += length + 1;
            match record.get(at) {
                Some(b'"') => at += 1,
                Some(b',' | b'\r' | b'\n') | None => break,
                Some(_) => return false,
            }
        }
        field_begins = false;
    }
    true
}

/// Where a reader stands, in bytes.
fn byte_of(position: &csv::Position) -> usize {
    usize::try_from(position.byte()).unwrap_or(usize::MAX)
}

/// Line numbers of places in a file that are asked for in order.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1 }
    }

    /// The line, from 1, that the byte at `place` stands on; a line ends with LF, CRLF or CR.
    fn line_of(&mut self, place: usize) -> u64 {
        while self.at < place.min(self.bytes.len()) {
            let ends = match self.bytes[self.at] {
                b'\n' => true,
                b'\r' => self.bytes.get(self.at + 1) != Some(&b'\n'),
                _ => false,
            };
            self.line += u64::from(ends);
            self.at += 1;
        }
        self.line
    }
}

fn csv_row(names: &[String], record: &csv::ByteRecord) -> Result<Map<String, Value>, String> {
    if record.len() != names.len() {
        return Err(format!("{} fields where the header has {}", record.len(), names.len()));
    }
    names
        .iter()
        .zip(record)
        .map(|(name, field)| Ok((name.clone(), Value::String(checked_text(name, field)?))))
        .collect()
}

fn checked_text(name: &str, field: &[u8]) -> Result<String, String> {
    if field.len() > LONGEST_FIELD {
        return Err(too_long(name, field.len()));
    }
    std::str::from_utf8(field).map(str::to_owned).map_err(|error| {
        let at = error.valid_up_to();
        format!("\"{name}\" is not UTF-8 (byte 0x{:02x} at position {})", field[at], at + 1)
    })
}

fn too_long(name: &str, length: usize) -> String {
    format!("\"{name}\" is {length} bytes long; the longest taken is {LONGEST_FIELD}")
}

/// Reads an array element by element: what is damaged costs only what follows it.
fn read_json(bytes: &[u8]) -> Result<Table, TableError> {
    let blank = |at: usize| at + bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let mut at = blank(0);
    if bytes.get(at) != Some(&b'[') {
        let found =
            serde_json::from_slice::<Vec<Value>>(bytes).map_or_else(|error| error.to_string(), |_| String::new());
        return Err(TableError::Json(found));
    }
    at = blank(at + 1);
    let (mut table, mut lines) = (Table::default(), Lines::of(bytes));
    if bytes.get(at) == Some(&b']') {
        return Ok(table);
    }
    let in_one_line = !bytes.trim_ascii().contains(&b'\n');
    for number in 1.. {
        let place = |lines: &mut Lines<'_>, at| if in_one_line { number } else { lines.line_of(at) };
        let line = place(&mut lines, at);
        let mut elements = serde_json::Deserializer::from_slice(&bytes[at..]).into_iter::<Value>();
        let why = match elements.next() {
            Some(Ok(value)) => {
                at = blank(at + elements.byte_offset());
                push_value(&mut table, line, value);
                match bytes.get(at) {
                    Some(b',') => {
                        at = blank(at + 1);
                        continue;
                    }
                    Some(b']') if blank(at + 1) == bytes.len() => return Ok(table),
                    Some(b']') => "something follows the array".to_owned(),
                    Some(_) => "no comma between two elements".to_owned(),
                    None => "the array is not closed: the file is cut short".to_owned(),
                }
            }
            Some(Err(error)) if table.rows.is_empty() && table.rejected.is_empty() => {
                return Err(TableError::Json(error.to_string()));
            }
            Some(Err(error)) => format!("not JSON, and nothing after it can be read: {}", json_complaint(&error)),
            None => "the array is not closed: the file is cut short".to_owned(),
        };
        table.rejected.push(Rejected { line: place(&mut lines, at), why });
        break;
    }
    Ok(table)
}

fn read_jsonl(bytes: &[u8]) -> Table {
    let mut table = Table::default();
    for (line, text) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice::<Value>(text) {
            Ok(value) => push_value(&mut table, line, value),
            Err(error) => {
                let why = match std::str::from_utf8(text) {
                    Ok(_) => format!("not JSON: {}", json_complaint(&error)),
                    Err(utf8) => format!("not UTF-8 at byte {}", utf8.valid_up_to() + 1),
                };
                table.rejected.push(Rejected { line, why });
            }
        }
    }
    table
}

/// serde_json's message with its line number dropped (the file's own line is told) but the column kept.
fn json_complaint(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    format!("{text} at column {}", error.column())
}

fn push_value(table: &mut Table, line: u64, value: Value) {
    let rejected = match value {
        Value::Object(fields) => {
            match fields.iter().find(|(_, value)| value.as_str().is_some_and(|text| text.len() > LONGEST_FIELD)) {
                None => {
                    table.rows.push(Row { line, fields });
                    return;
                }
                Some((name, value)) => too_long(name, value.as_str().map_or(0, str::len)),
            }
        }
        _ => "not an object".to_owned(),
    };
    table.rejected.push(Rejected { line, why: rejected });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn csv(text: &[u8]) -> Table {
        read(text, Format::Csv, &["template", "label"]).unwrap()
    }

    #[test]
    fn a_quoted_newline_is_part_of_its_field_and_lines_still_count() {
        let table = csv(b"template,label\n\"a\nb\",normal\nc,normal\n");
        assert_eq!(table.rows[0].fields["template"], "a\nb");
        assert_eq!((table.rows[0].line, table.rows[1].line), (2, 4));
    }

    #[test]
    fn lines_are_those_of_an_editor_whatever_ends_them() {
        let lines = |text: &[u8]| csv(text).rows.iter().map(|row| row.line).collect::<Vec<_>>();
        assert_eq!(lines(b"template,label\r\na,normal\r\nb,normal\r\n"), [2, 3]);
        assert_eq!(lines(b"template,label\n\n\na,normal\n\nb,normal"), [4, 6]);
        assert_eq!(lines(b"template,label\ra,normal\rb,normal\r"), [2, 3]);
        assert_eq!(lines(b"template,label\r\n\"a\r\nx\",normal\r\n\r\nb,normal\r\n"), [2, 5]);
        let array = b"[\n  {\"a\": 1},\n  {\n    \"a\": 2\n  },\n  7,\n  {\"a\": 3}\n]\n";
        let table = read(array, Format::Json, &[]).unwrap();
        assert_eq!(table.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 7]);
        assert_eq!(table.rejected, [Rejected { line: 6, why: "not an object".into() }]);
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_its_own_line() {
        let lines = |text: &str| {
            let table = csv(text.as_bytes());
            let told = table.rejected.iter().map(|bad| (bad.line, bad.why.contains("not closed"))).collect::<Vec<_>>();
            (table.rows.iter().map(|row| row.line).collect::<Vec<_>>(), told)
        };
        let rest = "c,normal\r\nd,normal\r\n";
        // In the first column and in the last, with and without a quotation mark later on.
        for open in ["\"b,normal", "b,\"normal"] {
            assert_eq!(
                lines(&format!("template,label\r\na,normal\r\n{open}\r\n{rest}")),
                (vec![2, 4, 5], vec![(3, true)])
            );
            let later = format!("template,label\r\na,normal\r\n{open}\r\n{rest}\"said, hi\",normal\r\ne,normal\r\n");
            assert_eq!(lines(&later), (vec![2, 4, 5, 6, 7], vec![(3, true)]), "{open}");
            let within = format!("template,label\n{open}\nc said \"hi\",normal\n");
            assert_eq!(lines(&within), (vec![3], vec![(2, true)]), "{open}");
        }
        // One that spans lines and is closed is a row, or a bad row, as a whole.
        assert_eq!(
            lines("template,label\n\"a\n\"\"b\"\"\",normal\n\"c\nd\"\ne,normal\n"),
            (vec![2, 6], vec![(4, false)])
        );
        // However many there are, it comes to an end.
        let many = format!("template,label\n{}", "a\"b\"d,\"c\n".repeat(3_000));
        assert!(csv(many.as_bytes()).rejected.last().unwrap().why.contains("the rest was not read"));
    }

    #[test]
    fn an_array_that_is_cut_short_keeps_its_good_rows() {
        for (text, line, why) in [
            (&b"[{\"a\":1},\n{\"a\":2},\n{\"a\""[..], 3, "not JSON"),
            (b"[{\"a\":1},\n{\"a\":2}\n", 3, "cut short"),
            (b"[{\"a\":1},\n{\"a\":2},\n", 3, "cut short"),
            (b"[{\"a\":1},{\"a\":2}\n{\"a\":2}]", 2, "no comma"),
            (b"[{\"a\":1},{\"a\":2}]\nx", 1, "follows the array"),
        ] {
            let table = read(text, Format::Json, &[]).unwrap();
            assert_eq!((table.rows.len(), table.rejected[0].line), (2, line), "{:?}", table.rejected);
            assert!(table.rejected[0].why.contains(why), "{:?}", table.rejected);
        }
        let compact = read(b"[{\"a\":1},7,{\"a\":2}]\n", Format::Json, &[]).unwrap();
        assert_eq!(compact.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(compact.rejected[0].line, 2);
        assert!(read(b"[]", Format::Json, &[]).unwrap().rows.is_empty());
        assert!(matches!(read(b"[{\"a\"", Format::Json, &[]), Err(TableError::Json(_))));
        assert!(matches!(read(b"7", Format::Json, &[]), Err(TableError::Json(_))));
    }

    #[test]
    fn a_missing_column_is_named_with_what_is_there() {
        let error = read(b"template,gold\nx,normal\n", Format::Csv, &["template", "label"]).unwrap_err();
        assert_eq!(error.to_string(), "column \"label\" missing; the header has: template, gold");
    }

    #[test]
    fn bad_rows_are_told_by_line_and_good_ones_kept() {
        let mut text = b"template,label\ngood,normal\nbad\xff,normal\nshort\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', LONGEST_FIELD + 1));
        text.extend(b",normal\nlast,normal\n");
        let table = csv(&text);
        assert_eq!(table.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 6]);
        assert_eq!(table.rejected.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3, 4, 5]);
        assert!(table.rejected[0].why.contains("not UTF-8 (byte 0xff"), "{}", table.rejected[0].why);
    }

    #[test]
    fn jsonl_rows_are_read_one_by_one() {
        let table = read(b"{\"a\":1}\nnot json\n\n[2]\n{\"a\":\"x\"}", Format::Jsonl, &[]).unwrap();
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.rejected.iter().map(|bad| bad.line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn the_format_is_guessed_from_name_then_content() {
        assert_eq!(Format::guess("x.csv", b"{"), Format::Csv);
        assert_eq!(Format::guess("x.json", b" [{}]"), Format::Json);
        assert_eq!(Format::guess("x.json", b"{}\n{}"), Format::Jsonl);
        assert_eq!(Format::guess("x", b"a,b"), Format::Csv);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for format in [Format::Csv, Format::Json, Format::Jsonl] {
                let _ = read(&bytes, format, &[]);
            }
        }
    }
}
