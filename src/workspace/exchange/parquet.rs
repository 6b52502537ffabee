//! verl's tables: parquet, written column by column.

use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use serde_json::Value;

/// The columns as verl's own preparation scripts write them; `logwright` and `id` are this program's.
const SCHEMA: &str = "message schema {
    required binary data_source (UTF8);
    required group prompt (LIST) {
        repeated group list {
            required group element { required binary role (UTF8); required binary content (UTF8); }
        }
    }
    required binary ability (UTF8);
    required group reward_model { required binary style (UTF8); required binary ground_truth (UTF8); }
    required group extra_info {
        required int64 index; required binary split (UTF8); required binary id (UTF8); required binary question (UTF8);
        required binary answer (UTF8); required binary logwright (UTF8);
    }
}";

/// Writes rows of verl's columns.
///
/// # Errors
/// Says what could not be written.
pub(super) fn write_verl(rows: &[Value]) -> Result<Vec<u8>, String> {
    write(rows).map_err(|error| error.to_string())
}

fn write(rows: &[Value]) -> Result<Vec<u8>, ParquetError> {
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    texts(&mut group, rows, "/data_source")?;
    for part in ["role", "content"] {
        turns(&mut group, rows, part)?;
    }
    for path in ["/ability", "/reward_model/style", "/reward_model/ground_truth"] {
        texts(&mut group, rows, path)?;
    }
    let places: Vec<i64> = rows.iter().map(|row| row["extra_info"]["index"].as_i64().unwrap_or_default()).collect();
    if let Some(mut column) = group.next_column()? {
        column.typed::<Int64Type>().write_batch(&places, None, None)?;
        column.close()?;
    }
    for name in ["split", "id", "question", "answer", "logwright"] {
        texts(&mut group, rows, &format!("/extra_info/{name}"))?;
    }
    group.close()?;
    writer.close()?;
    Ok(bytes)
}

/// Writes the next column: the text at `path` in each row.
fn texts<W: std::io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Value],
    path: &str,
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = rows.iter().map(|row| text(row.pointer(path))).collect();
    if let Some(mut column) = group.next_column()? {
        column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
        column.close()?;
    }
    Ok(())
}

/// Writes the next column: `part` of each turn of each row's prompt. Definition level 1: there is a turn; repetition
/// level 1: it is not the first of its row.
fn turns<W: std::io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Value],
    part: &str,
) -> Result<(), ParquetError> {
    let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let turns = row["prompt"].as_array().map_or(&[][..], Vec::as_slice);
        if turns.is_empty() {
            defined.push(0);
            repeated.push(0);
        }
        for (place, turn) in turns.iter().enumerate() {
            values.push(text(turn.get(part)));
            defined.push(1);
            repeated.push(i16::from(place > 0));
        }
    }
    if let Some(mut column) = group.next_column()? {
        column.typed::<ByteArrayType>().write_batch(&values, Some(&defined), Some(&repeated))?;
        column.close()?;
    }
    Ok(())
}

fn text(value: Option<&Value>) -> ByteArray {
    ByteArray::from(value.and_then(Value::as_str).unwrap_or_default())
}
