//! Rows of parquet files, whatever program wrote them.
//!
//! The record reader of the parquet crate panics on what it cannot assemble or convert (intervals, lists of another shape than
//! the standard's, times out of range), so such columns are left out before it reads, and values are converted here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ::parquet::basic::{ConvertedType, Repetition, Type as Physical};
use ::parquet::data_type::Decimal;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::{Field, Row as Record};
use ::parquet::schema::types::{Type, TypePtr};
use jiff::{Span, Timestamp, civil};
use serde_json::{Map, Number, Value};

use crate::logs::table::{Rejected, Row};

/// How a parquet file begins and ends.
const MAGIC: &[u8] = b"PAR1";

/// Whether these are the bytes of a parquet file.
pub(in crate::workspace) fn is_parquet(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Every row of a parquet file that can be read, numbered from 1, and the others. Columns of types that cannot be read are as
/// if they were not there.
///
/// # Errors
/// When it is no parquet file, or a damaged one.
pub(in crate::workspace) fn read_parquet(bytes: &[u8]) -> Result<(Vec<Row>, Vec<Rejected>), String> {
    // Damaged pages may still meet an assertion of the reader.
    let read = catch_unwind(AssertUnwindSafe(|| read(bytes)));
    read.unwrap_or_else(|_| Err("it is damaged".to_owned()))
}

fn read(bytes: &[u8]) -> Result<(Vec<Row>, Vec<Rejected>), String> {
    let told = |error: ParquetError| error.to_string();
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).map_err(told)?;
    let schema = reader.metadata().file_metadata().schema();
    let columns: Vec<TypePtr> = schema.get_fields().iter().filter(|column| can_be_read(column)).cloned().collect();
    if columns.is_empty() {
        return Err("none of its columns can be read".to_owned());
    }
    let wanted = Type::group_type_builder(schema.name()).with_fields(columns).build().map_err(told)?;
    let rows = reader.get_row_iter(Some(wanted)).map_err(told)?;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (line, record) in (1..).zip(rows) {
        match record {
            Ok(record) => good.push(Row { line, fields: object(&record) }),
            Err(error) => {
                bad.push(Rejected { line, why: error.to_string() });
                break;
            }
        }
    }
    Ok((good, bad))
}

/// Whether the record reader can assemble and convert a column.
fn can_be_read(column: &TypePtr) -> bool {
    use ConvertedType as C;
    let converted = column.get_basic_info().converted_type();
    if column.is_primitive() {
        return match column.get_physical_type() {
            Physical::BOOLEAN | Physical::INT96 | Physical::FLOAT | Physical::DOUBLE => true,
            Physical::INT32 => !matches!(converted, C::INT_64 | C::UINT_64 | C::TIME_MICROS),
            Physical::INT64 => matches!(
                converted,
                C::NONE
                    | C::INT_64
                    | C::UINT_64
                    | C::TIME_MICROS
                    | C::TIMESTAMP_MILLIS
                    | C::TIMESTAMP_MICROS
                    | C::DECIMAL
            ),
            Physical::BYTE_ARRAY => {
                matches!(converted, C::NONE | C::UTF8 | C::ENUM | C::JSON | C::BSON | C::DECIMAL)
            }
            Physical::FIXED_LEN_BYTE_ARRAY => matches!(converted, C::NONE | C::DECIMAL),
        };
    }
    let inside = column.get_fields();
    let repeated = |of: &TypePtr| of.get_basic_info().repetition() == Repetition::REPEATED;
    let parts: Vec<TypePtr> = match (converted, inside) {
        (C::LIST, [each]) if repeated(each) && each.is_primitive() => vec![Arc::clone(each)],
        (C::LIST, [each]) if repeated(each) => each.get_fields().to_vec(),
        (C::MAP | C::MAP_KEY_VALUE, [each]) if repeated(each) && !each.is_primitive() => {
            Some(each.get_fields()).filter(|fields| fields.len() <= 2).unwrap_or_default().to_vec()
        }
        (C::LIST | C::MAP | C::MAP_KEY_VALUE, _) => Vec::new(),
        _ => inside.to_vec(),
    };
    !parts.is_empty() && parts.iter().all(can_be_read)
}

fn object(record: &Record) -> Map<String, Value> {
    let fields = record.get_column_iter().map(|(name, field)| (name.clone(), value(field)));
    fields.filter(|(_, value)| !value.is_null()).collect()
}

/// A field as JSON: days as dates, times as RFC 3339, decimals and bytes as text; null where there is no such thing.
fn value(field: &Field) -> Value {
    let real = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    let time = |time: Result<Timestamp, jiff::Error>| time.map_or(Value::Null, |time| time.to_string().into());
    match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => (*truth).into(),
        Field::Byte(number) => (*number).into(),
        Field::Short(number) => (*number).into(),
        Field::Int(number) => (*number).into(),
        Field::Long(number) => (*number).into(),
        Field::UByte(number) => (*number).into(),
        Field::UShort(number) => (*number).into(),
        Field::UInt(number) => (*number).into(),
        Field::ULong(number) => (*number).into(),
        Field::Float16(number) => real(f64::from(*number)),
        Field::Float(number) => real(f64::from(*number)),
        Field::Double(number) => real(*number),
        Field::Decimal(number) => decimal(number).map_or(Value::Null, Value::String),
        Field::Str(text) => text.clone().into(),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => bytes.data().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        },
        Field::Date(days) => {
            let date = Span::new().try_days(*days).and_then(|days| civil::date(1970, 1, 1).checked_add(days));
            date.map_or(Value::Null, |date| date.to_string().into())
        }
        Field::TimeMillis(since_midnight) => time_of_day(i64::from(*since_midnight), 1_000),
        Field::TimeMicros(since_midnight) => time_of_day(*since_midnight, 1_000_000),
        Field::TimestampMillis(at) => time(Timestamp::from_millisecond(*at)),
        Field::TimestampMicros(at) => time(Timestamp::from_microsecond(*at)),
        Field::Group(record) => Value::Object(object(record)),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => {
            let key = |key: &Field| match value(key) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object(map.entries().iter().map(|(name, of)| (key(name), value(of))).collect())
        }
    }
}

/// A time of day, of ticks since midnight of which so many are a second.
fn time_of_day(ticks: i64, a_second: i64) -> Value {
    let (seconds, rest) = (ticks.div_euclid(a_second), ticks.rem_euclid(a_second));
    let nanoseconds = i32::try_from(rest * (1_000_000_000 / a_second)).unwrap_or_default();
    let [hour, minute, second] = [seconds / 3600, seconds / 60 % 60, seconds % 60].map(i8::try_from);
    let (Ok(hour), Ok(minute), Ok(second)) = (hour, minute, second) else { return Value::Null };
    civil::Time::new(hour, minute, second, nanoseconds).map_or(Value::Null, |time| time.to_string().into())
}

/// A decimal of up to 128 bits, written out.
fn decimal(number: &Decimal) -> Option<String> {
    let (bytes, scale) = (number.data(), usize::try_from(number.scale()).ok()?);
    if bytes.is_empty() || bytes.len() > 16 || scale > 38 {
        return None;
    }
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let mut whole = [sign; 16];
    whole[16 - bytes.len()..].copy_from_slice(bytes);
    let units = i128::from_be_bytes(whole);
    let digits = format!("{:0>wide$}", units.unsigned_abs(), wide = scale + 1);
    let (before, after) = digits.split_at(digits.len() - scale);
    let minus = if units < 0 { "-" } else { "" };
    Some(if scale == 0 { format!("{minus}{before}") } else { format!("{minus}{before}.{after}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::parquet::data_type::{
        ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
    };
    use ::parquet::file::writer::SerializedFileWriter;
    use ::parquet::schema::parser::parse_message_type;
    use serde_json::json;

    const SCHEMA: &str = "message m {
        required binary reasoning (UTF8); required int64 at (TIMESTAMP_MILLIS); required int64 later (TIMESTAMP_MICROS);
        required int32 day (DATE); required int32 hour (TIME_MILLIS); required int32 price (DECIMAL(9, 2));
        required fixed_len_byte_array(12) took (INTERVAL); required binary raw;
        required group odd (LIST) { required int32 a; }
    }";

    /// One row; `at` and `day` are given.
    fn file(at: i64, day: i32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        macro_rules! column {
            ($kind:ty, $value:expr) => {
                let mut column = group.next_column().unwrap().unwrap();
                column.typed::<$kind>().write_batch(&[$value], None, None).unwrap();
                column.close().unwrap();
            };
        }
        column!(ByteArrayType, ByteArray::from("text"));
        column!(Int64Type, at);
        column!(Int64Type, 1_500_000);
        column!(Int32Type, day);
        column!(Int32Type, 3_723_004);
        column!(Int32Type, -1205);
        column!(FixedLenByteArrayType, FixedLenByteArray::from(vec![1; 12]));
        column!(ByteArrayType, ByteArray::from(vec![0xff, 0x01]));
        column!(Int32Type, 7);
        group.close().unwrap();
        writer.close().unwrap();
        bytes
    }

    #[test]
    fn a_foreign_file_is_read_as_far_as_its_types_are_known() {
        let (rows, bad) = read_parquet(&file(1_700_000_000_123, 19_675)).unwrap();
        assert!(bad.is_empty() && rows.len() == 1);
        let expected = json!({
            "reasoning": "text", "at": "2023-11-14T22:13:20.123Z", "later": "1970-01-01T00:00:01.5Z", "day": "2023-11-14",
            "hour": "01:02:03.004", "price": "-12.05", "raw": "ff01",
        });
        assert_eq!(Value::Object(rows[0].fields.clone()), expected, "neither the interval nor the odd list");
    }

    #[test]
    fn times_out_of_range_are_nothing() {
        let (rows, _) = read_parquet(&file(i64::MAX, i32::MAX)).unwrap();
        assert!(!rows[0].fields.contains_key("at") && !rows[0].fields.contains_key("day"), "{rows:?}");
        assert_eq!((time_of_day(-1, 1000), time_of_day(i64::MAX, 1000)), (Value::Null, Value::Null));
    }

    #[test]
    fn damage_is_the_files_error() {
        let whole = file(0, 0);
        for cut in [5, whole.len() / 2, whole.len() - 1] {
            assert!(read_parquet(&whole[..cut]).is_err());
        }
        for at in 4..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            // Whatever comes of it, it comes back.
            let _ = read_parquet(&damaged);
        }
    }
}
